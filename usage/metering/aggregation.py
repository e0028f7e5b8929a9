"""Types of the table's entries: aggregations with the SQL that measures them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from billing.aggregations import Aggregation, EventAggregation
from usage.metering.window import Measurement, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Aggregation):
    """A brick's aggregation.

    ``measure``: returns the measurements of any number of windows of one workspace by position, with one query (for
    events one per rule). Windows without records may be omitted.
    """

    measure: Callable[[Sequence[Window]], dict[int, Measurement]]


def as_it_is(text: str) -> str:
    """Return the SQL of a property's text unchanged as the value of an event."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredEvents(EventAggregation):
    """An aggregation of the events that match a rule.

    ``value``: converts the SQL of a property's text to the SQL of the event's value, NULL if it can't be read.
    ``quantity``: returns the SQL aggregate over the column ``value`` of a window's events, for the database in use.
    """

    value: Callable[[str], str] = as_it_is
    quantity: Callable[[], str]
