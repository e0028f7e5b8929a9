"""The table of aggregations, in the order in which forms and APIs offer them: adding one is one file and one line."""

from usage.metering.aggregation import Measured, MeasuredEvents
from usage.metering.events.count import COUNT
from usage.metering.events.measuring import EVENTS
from usage.metering.events.sum import TOTAL
from usage.metering.events.unique import UNIQUE
from usage.metering.not_metered import NOT_METERED
from usage.metering.sum import SUM
from usage.metering.unit_days import UNIT_DAYS

# How a brick's quantity is measured.
AGGREGATIONS: tuple[Measured, ...] = (
    SUM,
    UNIT_DAYS,
    EVENTS,
    NOT_METERED,
)

# How the events that match a brick's rule are counted.
EVENT_AGGREGATIONS: tuple[MeasuredEvents, ...] = (
    COUNT,
    TOTAL,
    UNIQUE,
)
