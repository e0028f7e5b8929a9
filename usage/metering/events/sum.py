"""The total of a property: numbers, and texts that are plain numbers."""

from usage.metering.aggregation import MeasuredEvents
from usage.metering.events.properties import as_number
from usage.metering.sql import total_of

TOTAL = MeasuredEvents(
    name="sum",
    label="Total of a property",
    phrase="total of {property}",
    reads="number",
    value=as_number,
    quantity=lambda: total_of("value"),
)
