"""Measure many windows at once: one set-based query per aggregation or rule, whatever the number of lines."""

from collections.abc import Sequence

from billing.aggregations import OF_BRICKS
from usage.metering.aggregation import Measured
from usage.metering.window import NOTHING, Measurement, Window


def measure(windows: Sequence[Window]) -> list[Measurement]:
    """Return the measurement of each window, in their order; the windows are of one workspace.

    Runs one query per aggregation among them, and for events one per rule. A window without records has the quantity 0;
    a brick that is not metered has the quantity 1. Raises ``RuleTooLarge``.
    """
    measurements = [NOTHING] * len(windows)
    for name in {window.aggregation for window in windows}:
        positions = [n for n, window in enumerate(windows) if window.aggregation == name]
        aggregation = OF_BRICKS[name]
        assert isinstance(aggregation, Measured), "Metering registers aggregations that it can measure."
        for n, measurement in aggregation.measure([windows[position] for position in positions]).items():
            measurements[positions[n]] = measurement
    return measurements
