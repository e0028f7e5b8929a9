"""``measure``: one set-based query per aggregation or rule, whatever the number of lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.models import EventRule
from usage.metering.events import measure_events
from usage.metering.measurement import NOTHING, Measurement
from usage.metering.sum import measure_sum
from usage.metering.unit_days import measure_unit_days


@dataclass(frozen=True, slots=True)
class Window:
    """What to measure: a line's records that occurred in ``[starts_at, ends_at)``, as of a cutoff.

    Or, where a brick counts events, what a rule makes of a customer's.
    """

    workspace_id: int
    aggregation: str
    line_id: int | None
    starts_at: datetime
    ends_at: datetime
    cutoff: int
    customer_id: UUID | None = None
    rule: EventRule | None = None


# Aggregation -> the function that answers for all windows: {position in its list: measurement}.
AGGREGATIONS: dict[str, Callable[[Sequence[Window]], dict[int, Measurement]]] = {
    "sum": measure_sum,
    "unit_days": measure_unit_days,
    "events": measure_events,
}


def measure(windows: Sequence[Window]) -> list[Measurement]:
    """Return the measurement of each window, in their order, with one query per aggregation, and per rule of events,
    among them.

    A window without records has the quantity 0; a brick that is not metered has the quantity 1, the thing itself.
    Raises ``RuleTooLarge``.
    """
    measurements = [NOTHING] * len(windows)
    for aggregation in {window.aggregation for window in windows}:
        positions = [n for n, window in enumerate(windows) if window.aggregation == aggregation]
        if aggregation == "none":
            for position in positions:
                measurements[position] = Measurement(quantity=Decimal(1), record_count=0)
            continue
        found = AGGREGATIONS[aggregation]([windows[position] for position in positions])
        for n, measurement in found.items():
            measurements[positions[n]] = measurement
    return measurements
