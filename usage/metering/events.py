"""Events: how many of a customer's match a rule, the total of one of their properties, or its distinct values."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from billing import catalog
from billing.models import EventRule
from billing.money import round_quantity
from billing.storage.jsontext import encode
from usage.metering.measurement import ALL_READ, Measurement, Unread
from usage.metering.properties import as_number, as_text, folded_text_of, given_of, text_of
from usage.metering.sql import LIVE, windows_table

if TYPE_CHECKING:
    from usage.metering.measure import Window


class RuleTooLarge(Exception):
    """A rule that was written before there was a bound has more filters, or values of one, than are counted by."""


_IN_WINDOW = f"""r.workspace_id = w.workspace_id AND r.customer_id = w.customer_id
    AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at AND {{matches}} AND {LIVE.format(window="w")}"""
_COUNTED = f"FROM w CROSS JOIN usage_usagerecord r WHERE {_IN_WINDOW}"
_COUNT = f"""
WITH w AS ({{windows}}),
measured AS (SELECT w.n, COUNT(*) AS quantity, COUNT(*) AS counted {_COUNTED} GROUP BY w.n)
"""
# What an event is worth is worked out once for each, in steps that the planner is kept from merging. The sample is of
# the least and the greatest of texts that begin with the record's id.
_WORTH = f"""
WITH w AS ({{windows}}),
found AS (
    SELECT w.n, r.id, COALESCE(r.origin_id, r.id) AS handle, {{given}} AS given {_COUNTED} {{apart}}
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
# Of a property that is filtered by: 0 at the first event of the type that has it; only where none has, their number.
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
        "sum": "SUM",
    },
    "sqlite": {
        "apart": "",
        "sample": f"printf('%%0{_ID_DIGITS}d', handle) || COALESCE(substr(given, 1, {_VALUE_LETTERS}), '')",
        "sum": "exact_sum",
    },
}


def measure_events(windows: "Sequence[Window]") -> dict[int, Measurement]:
    """Return per position the quantity, rounded once to 9 places, and the number of events that the rule matches.

    One query per rule among the windows. A sum adds what is a number and passes over the rest, which is told as unread;
    distinct values are told apart, and events that have none are unread. A property to filter by that no event of the
    type has is told as well. Raises ``RuleTooLarge``.
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


def _measure(rule: EventRule, windows: "Sequence[Window]") -> dict[int, Measurement]:
    table, of_windows = windows_table(windows, "customer_id")
    condition, of_condition = matches(rule, "r")
    if rule.aggregation == EventRule.Aggregation.COUNT:
        columns, parameters = list(_MEASURED), [*of_windows, *of_condition]
        statement = _COUNT.format(windows=table, matches=condition)
    else:
        given, of_given = given_of(rule.property, "r")
        columns, parameters = [*_MEASURED, *_READ], [*of_windows, *of_given, *of_condition]
        statement = _WORTH.format(windows=table, matches=condition, given=given, **_worth(rule))
    gaps, of_gaps = _gaps(rule)
    selected = ", ".join(["n", *(f"measured.{name}" for name in columns), *gaps])
    found = "w LEFT JOIN measured USING (n)" if gaps else "measured"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} SELECT {selected} FROM {found}", [*parameters, *of_gaps])
        return {n: _measurement(rule, values[: len(columns)], values[len(columns) :]) for n, *values in cursor}


def _gaps(rule: EventRule) -> tuple[list[str], list[Any]]:
    """Return what tells of each property that is filtered by, in order, whether it is missing, and the parameters."""
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


def _worth(rule: EventRule) -> dict[str, str]:
    """Return what is read of each event, and what is made of all of them."""
    on = _ON[connection.vendor]
    match rule.aggregation:
        case EventRule.Aggregation.SUM:
            value, quantity = as_number("text"), f"{on['sum']}(value)"
        case EventRule.Aggregation.UNIQUE:
            value, quantity = "text", "COUNT(DISTINCT value)"
        case _:
            raise ValueError(f"{rule.aggregation!r} is no way to count events.")
    return {
        "apart": on["apart"],
        "sample": on["sample"],
        "text": as_text("given"),
        "value": value,
        "quantity": quantity,
    }


def _unread(count: int | None, missing: int | None, newest: int | None, *edges: str | None) -> Unread:
    if not count or missing is None or newest is None:
        return ALL_READ
    # The first and the last that have a value, or else of those that have none; where there is one, it is both.
    found = dict.fromkeys(edge for edge in (edges[:2] if count > missing else edges[2:]) if edge)
    return Unread(count, missing, tuple((int(edge[:_ID_DIGITS]), edge[_ID_DIGITS:] or None) for edge in found), newest)


def matches(rule: EventRule, record: str) -> tuple[str, list[Any]]:
    """Return the SQL condition that a record is of a rule's type and passes each of its filters, with its parameters.

    A negated filter is passed by what has none of its values, also by an event without the property. Raises
    ``RuleTooLarge``.
    """
    if objection := catalog.objection_to_size(rule.filters):
        raise RuleTooLarge(f"The rule of “{rule.brick.name}” can't be counted by: {objection}")
    conditions, parameters = [f"{record}.event_type = %s"], [rule.event_type]
    filters, text_in = (rule.filters, text_of) if rule.is_case_sensitive else (rule.folded_filters, folded_text_of)
    for name, values in sorted(filters.items()):
        text, of_text = text_in(name, record)
        among, of_values = _among(text, values)
        conditions.append(f"({among}) IS NOT TRUE" if name in rule.negated else among)
        parameters += [*of_text, *of_values]
    return " AND ".join(conditions), parameters


def _among(text: str, values: Sequence[str]) -> tuple[str, list[Any]]:
    # An array is compared to as a whole; a subquery of its elements would be joined to, one more with each filter.
    if connection.vendor == "postgresql":
        return f"{text} = ANY(%s::text[])", [list(values)]
    return f"{text} IN (SELECT value FROM json_each(%s))", [encode(list(values)).decode()]
