"""The number of events."""

from billing.aggregations import READS_NO_PROPERTY
from usage.metering.aggregation import MeasuredEvents

COUNT = MeasuredEvents(
    name=READS_NO_PROPERTY,
    label="Number of events",
    phrase="number of events",
    reads_property=False,
    quantity=lambda: "COUNT(*)",
)
