"""The table of aggregations, in the order of lists of choices. A new aggregation needs one file and one line here."""

from usage.metering.aggregation import Measured, MeasuredEvents
from usage.metering.events.count import COUNT
from usage.metering.events.measuring import EVENTS
from usage.metering.events.sum import TOTAL
from usage.metering.events.unique import UNIQUE
from usage.metering.not_metered import NOT_METERED
from usage.metering.sum import SUM
from usage.metering.unit_days import UNIT_DAYS

# Aggregations of bricks.
AGGREGATIONS: tuple[Measured, ...] = (
    SUM,
    UNIT_DAYS,
    EVENTS,
    NOT_METERED,
)

# Aggregations of events that match a brick's rule.
EVENT_AGGREGATIONS: tuple[MeasuredEvents, ...] = (
    COUNT,
    TOTAL,
    UNIQUE,
)
