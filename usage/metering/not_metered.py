"""The aggregation of bricks that are not metered: the quantity is 1 in each period."""

from collections.abc import Sequence
from decimal import Decimal

from usage.metering.aggregation import Measured
from usage.metering.window import Measurement, Window

_ONE = Measurement(quantity=Decimal(1), record_count=0)


def measure_nothing(windows: Sequence[Window]) -> dict[int, Measurement]:
    """Return the quantity 1 for each window, without a query."""
    return dict.fromkeys(range(len(windows)), _ONE)


NOT_METERED = Measured(name="none", label="Not metered", short_label="not metered", measure=measure_nothing)
