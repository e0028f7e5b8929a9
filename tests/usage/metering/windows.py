"""What tests measure of events."""

from typing import Any

from billing.models import EventRule
from tests import factories as make
from usage.metering import Window

# A cutoff of after all that a test writes.
EVER = 10**12


def window(
    customer: Any, rule: EventRule, starts: str = "2026-01-01", ends: str = "2026-02-01", *, cutoff: int = EVER
) -> Window:
    """Return what a rule makes of a customer's events in ``[starts, ends)``, days in UTC."""
    return Window(
        workspace_id=customer.workspace_id,
        aggregation="events",
        line_id=None,
        starts_at=make.moment(starts),
        ends_at=make.moment(ends),
        cutoff=cutoff,
        customer_id=customer.pk,
        rule=rule,
    )
