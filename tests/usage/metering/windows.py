"""Windows over lines and events for tests."""

from typing import Any

from billing.models import EventRule, Line
from tests import factories as make
from usage import ledger
from usage.metering import Window, measure

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


def window_of(line: Line, starts: str = "2026-01-01", ends: str = "2026-02-01", *, cutoff: int = EVER) -> Window:
    """Return a line's records in ``[starts, ends)``, days in UTC."""
    return Window(
        workspace_id=line.workspace_id,
        aggregation=line.brick.aggregation,
        line_id=line.pk,
        starts_at=make.moment(starts),
        ends_at=make.moment(ends),
        cutoff=cutoff,
    )


def quantities(*windows: Window) -> list[str]:
    return [f"{one.quantity.normalize():f}" for one in measure(windows)]


def sent(customer: Any, at: str = "2026-01-10", **properties: Any) -> ledger.RecordedEvent:
    return make.event(customer.workspace, "gx", at, **properties)


def rule_of(customer: Any, aggregation: str = "count", **terms: Any) -> EventRule:
    return make.event_brick(customer.workspace, aggregation=aggregation, **terms).event_rules.get()


def measured(customer: Any, aggregation: str = "count", **terms: Any) -> str:
    (found,) = measure([window(customer, rule_of(customer, aggregation, **terms))])
    return f"{found.quantity.normalize():f} of {found.record_count}"
