"""Notices about unread events: for a line, and for the whole run if no event has a rule's property."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from billing import figures
from billing.entry.numbers import NumberFormat
from billing.models import CloseRun, EventRule, InvoiceLine
from billing.storage.exact import ExactSum
from usage.metering import Measurement

LONGEST_NAME = 60


def unread_notice(rule: EventRule, measurement: Measurement, style: NumberFormat) -> str:
    """Return the notice with the number of a line's events that its rule could not read, and an example."""
    unread, counted = measurement.unread, measurement.record_count
    if measurement.is_missing_everywhere:
        return missing_notice(rule.property, counted, style)
    name = _name(rule.property)
    what = rule.counting.reads
    value = unread.sample[0][1] if unread.sample else None
    shown = "" if value is None else f", such as {value} of record {unread.sample[0][0]}"
    has, add = ("has", "adds") if unread.count == 1 else ("have", "add")
    of_them = f"{figures.count(unread.count, style)} of {figures.count(counted, style)}"
    return f"{of_them} events {has} no {what} in “{name}” and {add} nothing{shown}"


def missing_notice(name: str, counted: int, style: NumberFormat) -> str:
    """Return the notice that none of the ``counted`` events has the property ``name``, which the rule reads."""
    all_events = (
        "the only event, which adds" if counted == 1 else f"all {figures.count(counted, style)} events, which add"
    )
    return f"“{_name(name)}” is missing in {all_events} nothing"


def filter_notice(event_type: str, name: str, events: int, style: NumberFormat, *, is_negated: bool) -> str:
    """Return the notice that none of the ``events`` of a type has the property ``name``, which the rule filters by."""
    of_them = "the only event" if events == 1 else f"all {figures.count(events, style)} events"
    effect = "excludes none" if is_negated else "matches none"
    return f"“{_name(name)}” is missing in {of_them} of type “{_name(event_type)}”: the filter on it {effect}"


@dataclass(frozen=True, slots=True)
class MissingProperty:
    """A property ``name`` of a rule that is missing on all events that a run measured by this rule."""

    rule_id: int
    brick_id: UUID
    brick: str
    event_type: str
    name: str
    notice: str


@dataclass(slots=True)
class _Seen:
    """Totals of a run's lines with one rule: events counted, whether all lack the property, and the filters' gaps."""

    counted: int = 0
    is_missing: bool = True
    gaps: dict[str, int] = field(default_factory=dict)
    had: set[str] = field(default_factory=set)


def missing_properties(run: CloseRun) -> list[MissingProperty]:
    """Return the properties that are missing on all events measured by a rule of the run, each once; one query."""
    has_it = Count("pk", filter=Q(record_count__gt=0, missing_count__lt=F("record_count")))
    of_rules = InvoiceLine.objects.filter(workspace_id=run.workspace_id, invoice__run=run, rule__isnull=False)
    found = of_rules.values(
        "rule", "rule__property", "rule__event_type", "rule__negated", "rule__brick", "rule__brick__name", "filter_gaps"
    ).annotate(counted=ExactSum("record_count"), having=has_it, lines=Count("pk"))
    seen: dict[int, _Seen] = defaultdict(_Seen)
    rules: dict[int, Mapping[str, Any]] = {}
    for row in found.order_by("rule__brick__name", "rule"):
        rules[row["rule"]] = row
        of_rule = seen[row["rule"]]
        of_rule.counted += int(row["counted"])
        of_rule.is_missing &= not row["having"]
        for name, events in row["filter_gaps"].items():
            of_rule.gaps[name] = of_rule.gaps.get(name, 0) + events * row["lines"]
            if not events:
                of_rule.had.add(name)
    style = run.workspace.formats.numbers
    return [
        MissingProperty(rule_id, row["rule__brick"], row["rule__brick__name"], row["rule__event_type"], name, notice)
        for rule_id, row in rules.items()
        for name, notice in _notices(row, seen[rule_id], style)
    ]


def _notices(rule: Mapping[str, Any], seen: _Seen, style: NumberFormat) -> Iterable[tuple[str, str]]:
    """Yield the properties that are missing on all events, each with its notice."""
    for name, events in sorted(seen.gaps.items()):
        if name not in seen.had:
            is_negated = name in rule["rule__negated"]
            yield name, filter_notice(rule["rule__event_type"], name, events, style, is_negated=is_negated)
    if seen.counted and seen.is_missing:
        yield rule["rule__property"], missing_notice(rule["rule__property"], seen.counted, style)


def surprising_lines(told: Iterable[MissingProperty]) -> QuerySet[InvoiceLine]:
    """Return the lines with surprises for a reviewer, except those whose surprises are all covered by ``told``."""
    surprising = InvoiceLine.objects.exclude(surprises=[])
    # Rules are grouped by the number of their notices: one condition per rule would be too many.
    rules: dict[int, list[int]] = defaultdict(list)
    for rule_id, count in Counter(each.rule_id for each in told).items():
        rules[count].append(rule_id)
    # Notices of a missing property begin with its quoted name, and only one other notice may follow them.
    said = (
        Q(rule__in=of_count, surprises__0__startswith="“", **{f"surprises__{count}__isnull": True})
        for count, of_count in rules.items()
    )
    return surprising.exclude(reduce(or_, said, Q(pk__in=[])))


def _name(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
