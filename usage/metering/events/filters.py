"""Select the events that match a rule: those of its type that pass all of its filters."""

from typing import Any

from billing import catalog
from billing.models import EventRule
from billing.storage import rows
from usage.metering.events.properties import folded_text_of, text_of


class RuleTooLarge(Exception):
    """The rule has more filters, or values in a filter, than the current settings allow."""


def matches(rule: EventRule, record: str) -> tuple[str, list[Any]]:
    """Return the SQL condition that a record is of the rule's type and passes all of its filters, with its parameters.

    ``record``: the table's alias. An event passes a negated filter if it has none of its values, even if it lacks the
    property. Raises ``RuleTooLarge``.
    """
    if objection := catalog.objection_to_size(rule.filters):
        raise RuleTooLarge(f"The rule of “{rule.brick.name}” can't be evaluated: {objection}")
    conditions, parameters = [f"{record}.event_type = %s"], [rule.event_type]
    filters, text_in = (rule.filters, text_of) if rule.is_case_sensitive else (rule.folded_filters, folded_text_of)
    for name, values in sorted(filters.items()):
        text, of_text = text_in(name, record)
        # One comparison with an array on PostgreSQL; a subquery of its elements would be a join for each filter.
        among, of_values = rows.among(values)
        passes = f"{text} {among}"
        conditions.append(f"({passes}) IS NOT TRUE" if name in rule.negated else passes)
        parameters += [*of_text, *of_values]
    return " AND ".join(conditions), parameters
