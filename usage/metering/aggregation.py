"""The types of what the table lists: an aggregation with the SQL that measures it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from billing.aggregations import Aggregation, EventAggregation
from usage.metering.window import Measurement, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Aggregation):
    """A brick's aggregation.

    ``measure``: returns the measurements of any number of windows of one workspace by their positions, with one query
    (one per rule of events). A window without records may be left out.
    """

    measure: Callable[[Sequence[Window]], dict[int, Measurement]]


def as_it_is(text: str) -> str:
    """Return the SQL of a property's text as what an event is worth."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredEvents(EventAggregation):
    """A way to count the events that match a rule.

    ``value``: makes, of the SQL of a property's text, the SQL of what the event is worth, NULL where nothing can be
    read. ``quantity``: returns the SQL aggregate over the column ``value`` of a window's events, for the database in
    use.
    """

    value: Callable[[str], str] = as_it_is
    quantity: Callable[[], str]
