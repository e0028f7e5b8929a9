"""The number of distinct values of a property, compared as text."""

from usage.metering.aggregation import MeasuredEvents

# A value that occurs in several windows counts in each, so the parts are added.
UNIQUE = MeasuredEvents(
    name="unique",
    label="Number of distinct values of a property",
    phrase="distinct {property}",
    quantity=lambda: "COUNT(DISTINCT value)",
)
