"""The brick aggregation of events: measures a customer's events that match a rule, by the rule's aggregation."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.models import EventRule
from billing.money import round_quantity
from usage.chains import LIVE, handle_of
from usage.metering.aggregation import Measured, MeasuredEvents
from usage.metering.events.filters import matches
from usage.metering.events.properties import as_text, given_of
from usage.metering.sql import windows_table
from usage.metering.window import ALL_READ, Measurement, Unread, Window

_IN_WINDOW = f"""r.workspace_id = w.workspace_id AND r.customer_id = w.customer_id
    AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at AND {{matches}} AND {LIVE.format(window="w")}"""
_COUNTED = f"FROM w CROSS JOIN usage_usagerecord r WHERE {_IN_WINDOW}"
_COUNT = f"""
WITH w AS ({{windows}}),
measured AS (SELECT w.n, {{quantity}} AS quantity, COUNT(*) AS counted {_COUNTED} GROUP BY w.n)
"""
# The value of each event is computed once, in steps that the planner must not merge. The sample is the least and the
# greatest of texts that begin with the record's id.
_WORTH = f"""
WITH w AS ({{windows}}),
found AS (
    SELECT w.n, r.id, {handle_of("r")} AS handle, {{given}} AS given {_COUNTED} {{apart}}
),
read AS (SELECT n, id, handle, given, {{text}} AS text FROM found {{apart}}),
worth AS (SELECT n, id, handle, given, {{value}} AS value FROM read {{apart}}),
measured AS (
    SELECT n, {{quantity}} AS quantity, COUNT(*) AS counted, COUNT(*) - COUNT(value) AS unread,
        COUNT(*) - COUNT(given) AS missing, MAX(id) FILTER (WHERE value IS NULL) AS newest,
        MIN({{sample}}) FILTER (WHERE value IS NULL AND given IS NOT NULL) AS first_given,
        MAX({{sample}}) FILTER (WHERE value IS NULL AND given IS NOT NULL) AS last_given,
        MIN({{sample}}) FILTER (WHERE given IS NULL) AS first_missing,
        MAX({{sample}}) FILTER (WHERE given IS NULL) AS last_missing
    FROM worth GROUP BY n
)
"""
_MEASURED = ("quantity", "counted")
_READ = ("unread", "missing", "newest", "first_given", "last_given", "first_missing", "last_missing")
# The gap of a property that the rule filters by: 0 if an event of the type has it, which stops at the first, else the
# number of events of the type.
_GAP = f"""
CASE WHEN EXISTS (SELECT 1 FROM usage_usagerecord r WHERE {_IN_WINDOW} AND {{given}} IS NOT NULL) THEN 0
    ELSE (SELECT NULLIF(COUNT(*), 0) FROM usage_usagerecord r WHERE {_IN_WINDOW}) END
"""
_ID_DIGITS, _VALUE_LETTERS = 19, 60
_ON = {
    "postgresql": {
        "apart": "OFFSET 0",
        "sample": f"""(lpad(handle::text, {_ID_DIGITS}, '0') || COALESCE(left(given::text, {_VALUE_LETTERS}), ''))
            COLLATE "C" """,
    },
    "sqlite": {
        "apart": "",
        "sample": f"printf('%%0{_ID_DIGITS}d', handle) || COALESCE(substr(given, 1, {_VALUE_LETTERS}), '')",
    },
}


def measure_events(windows: Sequence[Window]) -> dict[int, Measurement]:
    """Return per position the quantity, rounded once to 9 places, and the number of events that match the rule.

    One query per rule among the windows. The result includes the number of events whose property can't be read, and the
    gaps of the rule's filters. Raises ``RuleTooLarge``.
    """
    positions: dict[EventRule, list[int]] = defaultdict(list)
    for n, window in enumerate(windows):
        assert window.rule is not None, "A window of events has a rule."
        positions[window.rule].append(n)
    return {
        of_rule[n]: measured
        for rule, of_rule in positions.items()
        for n, measured in _measure(rule, [windows[n] for n in of_rule]).items()
    }


def _measure(rule: EventRule, windows: Sequence[Window]) -> dict[int, Measurement]:
    table, of_windows = windows_table(windows, "customer_id")
    condition, of_condition = matches(rule, "r")
    way = rule.counting
    assert isinstance(way, MeasuredEvents), "Metering registers ways to count that it can measure."
    if way.reads_property:
        given, of_given = given_of(rule.property, "r")
        columns, parameters = [*_MEASURED, *_READ], [*of_windows, *of_given, *of_condition]
        statement = _WORTH.format(windows=table, matches=condition, given=given, **_worth(way))
    else:
        columns, parameters = list(_MEASURED), [*of_windows, *of_condition]
        statement = _COUNT.format(windows=table, matches=condition, quantity=way.quantity())
    gaps, of_gaps = _gaps(rule)
    selected = ", ".join(["n", *(f"measured.{name}" for name in columns), *gaps])
    found = "w LEFT JOIN measured USING (n)" if gaps else "measured"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} SELECT {selected} FROM {found}", [*parameters, *of_gaps])
        return {n: _measurement(rule, values[: len(columns)], values[len(columns) :]) for n, *values in cursor}


def _gaps(rule: EventRule) -> tuple[list[str], list[Any]]:
    """Return the SQL of the gap of each property that the rule filters by, in order, and the parameters."""
    gaps, parameters = [], []
    for name in sorted(rule.filters):
        given, of_given = given_of(name, "r")
        gaps.append(_GAP.format(matches="r.event_type = %s", given=given))
        parameters += [rule.event_type, *of_given, rule.event_type]
    return gaps, parameters


def _measurement(rule: EventRule, measured: Sequence[Any], gaps: Sequence[int | None]) -> Measurement:
    total, count, *unread = measured
    return Measurement(
        quantity=round_quantity(Decimal(total or 0)),
        record_count=count or 0,
        unread=_unread(*unread) if unread else ALL_READ,
        filter_gaps={name: gap for name, gap in zip(sorted(rule.filters), gaps, strict=False) if gap is not None},
    )


def _worth(way: MeasuredEvents) -> dict[str, str]:
    """Return the SQL of an event's value and of the quantity of all events."""
    on = _ON[connection.vendor]
    return {
        "apart": on["apart"],
        "sample": on["sample"],
        "text": as_text("given"),
        "value": way.value("text"),
        "quantity": way.quantity(),
    }


def _unread(count: int | None, missing: int | None, newest: int | None, *edges: str | None) -> Unread:
    if not count or missing is None or newest is None:
        return ALL_READ
    # The first and the last that have the property, or else of those that lack it; they may be the same.
    found = dict.fromkeys(edge for edge in (edges[:2] if count > missing else edges[2:]) if edge)
    return Unread(count, missing, tuple((int(edge[:_ID_DIGITS]), edge[_ID_DIGITS:] or None) for edge in found), newest)


EVENTS = Measured(
    name="events",
    label="Events: counted as the brick's rule says",
    short_label="events",
    colour="warning",
    takes_events=True,
    may_be_negative=True,
    measure=measure_events,
)
