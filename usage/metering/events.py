"""Events: how many of a customer's match a rule, the total of one of their properties, or its distinct values."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from billing import catalog
from billing.jsontext import encode
from billing.models import EventRule
from billing.money import round_quantity
from usage.metering.properties import folded_text_of, number_of, text_of
from usage.metering.sql import LIVE, windows_table

if TYPE_CHECKING:
    from usage.metering.measure import Window


class RuleTooLarge(Exception):
    """A rule that was written before there was a bound has more filters, or values of one, than are counted by."""


_QUERY = f"""
WITH w AS ({{windows}})
SELECT w.n, {{quantity}}, COUNT(*)
FROM w CROSS JOIN usage_usagerecord r
WHERE r.customer_id = w.customer_id AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at
    AND {{matches}} AND {LIVE.format(window="w")}
GROUP BY w.n
"""


def measure_events(windows: "Sequence[Window]") -> dict[int, tuple[Decimal, int]]:
    """Return per position the quantity, rounded once to 9 places, and the number of events that the rule matches.

    One query per rule among the windows. A sum adds what is a number and passes over the rest. Raises ``RuleTooLarge``.
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


def _measure(rule: EventRule, windows: "Sequence[Window]") -> dict[int, tuple[Decimal, int]]:
    table, of_windows = windows_table(windows, "customer_id")
    quantity, of_quantity = _quantity(rule)
    condition, of_condition = matches(rule, "r")
    statement = _QUERY.format(windows=table, quantity=quantity, matches=condition)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*of_windows, *of_quantity, *of_condition])
        return {n: (round_quantity(Decimal(total or 0)), count) for n, total, count in cursor.fetchall()}


def _quantity(rule: EventRule) -> tuple[str, list[Any]]:
    match rule.aggregation:
        case EventRule.Aggregation.COUNT:
            return "COUNT(*)", []
        case EventRule.Aggregation.SUM:
            number, parameters = number_of(rule.property, "r")
            return f"{'SUM' if connection.vendor == 'postgresql' else 'exact_sum'}({number})", parameters
        case EventRule.Aggregation.UNIQUE:
            text, parameters = text_of(rule.property, "r")
            return f"COUNT(DISTINCT {text})", parameters
    raise ValueError(f"{rule.aggregation!r} is no way to count events.")


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
