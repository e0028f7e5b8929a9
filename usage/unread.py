"""Events that count and are worth nothing, in words: for a line, and once for a rule whose property no event has."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, QuerySet

from billing.exact import ExactSum
from billing.models import CloseRun, EventRule, InvoiceLine
from usage.metering import Measurement

LONGEST_NAME = 60


def unread_notice(rule: EventRule, measurement: Measurement) -> str:
    """Say how many of a line's events its rule could not read, and show the first."""
    unread, counted = measurement.unread, measurement.record_count
    if measurement.is_missing_everywhere:
        return missing_notice(rule.property, counted)
    name = _name(rule.property)
    what = "number" if rule.aggregation == EventRule.Aggregation.SUM else "value"
    value = unread.sample[0][1] if unread.sample else None
    shown = "" if value is None else f", such as {value} of record {unread.sample[0][0]}"
    has, count = ("has", "counts") if unread.count == 1 else ("have", "count")
    return f"{unread.count:,} of {counted:,} events {has} no {what} in “{name}” and {count} for nothing{shown}"


def missing_notice(name: str, counted: int) -> str:
    """Say that no event has the property that is added or told apart."""
    all_events = "the one event, which counts" if counted == 1 else f"all {counted:,} events, which count"
    return f"“{_name(name)}” is missing in {all_events} for nothing"


@dataclass(frozen=True, slots=True)
class MissingProperty:
    """A rule by which a run has counted events of which none has the property that it adds or tells apart."""

    rule_id: int
    brick: str
    notice: str


def missing_properties(run: CloseRun) -> list[MissingProperty]:
    """Return the rules of a run whose property is missing on every event that they counted, each once; one query."""
    lines = InvoiceLine.objects.filter(invoice__run=run, rule__isnull=False, record_count__gt=0)
    with_it = lines.filter(rule=OuterRef("rule"), missing_count__lt=F("record_count"))
    found = lines.exclude(Exists(with_it)).values("rule", "rule__property", "rule__brick__name")
    return [
        MissingProperty(
            row["rule"], row["rule__brick__name"], missing_notice(row["rule__property"], int(row["counted"]))
        )
        for row in found.annotate(counted=ExactSum("record_count")).order_by("rule__brick__name", "rule")
    ]


def surprising_lines(told: Iterable[MissingProperty]) -> QuerySet[InvoiceLine]:
    """Return the lines that a reviewer should look at, but for those of which all is said by what was told already."""
    surprising = InvoiceLine.objects.exclude(surprises=[])
    rules = [each.rule_id for each in told]
    said = {"rule__in": rules, "missing_count__gt": 0, "surprises__1__isnull": True}
    return surprising.exclude(**said) if rules else surprising


def _name(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
