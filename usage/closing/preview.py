"""Preview the invoices of open periods as of now. Nothing is locked or written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from billing import contracts
from billing.calendar import Period
from billing.invoicing import DraftInvoice
from billing.models import Subscription
from billing.open_periods import count_open
from usage import ledger
from usage.closing.drafting import draft
from usage.closing.due import Due, lines_of


@dataclass(frozen=True, slots=True)
class Preview:
    """A subscription's oldest open period so far, and its invoice as of now.

    ``open_count``: the number of its open periods that have started, including this one.
    """

    invoice: DraftInvoice
    measured_until: datetime
    open_count: int


def preview(*, subscription: Subscription, as_of: datetime) -> Preview | None:
    """Return the upcoming invoice with the usage so far, including differences of closed periods. Writes nothing.

    None if the subscription has no open period at ``as_of``: it has not started, or has ended and is closed. Raises
    one of ``REFUSALS``.
    """
    subscription = (
        Subscription.objects.filter(workspace_id=subscription.workspace_id)
        .select_related("workspace")
        .get(pk=subscription.pk)
    )
    if as_of < subscription.starts_at:
        return None
    period = contracts.open_period(subscription)
    if period is None:
        return None
    cutoff = ledger.last_id(workspace_id=subscription.workspace_id)
    (invoice,) = draft_periods(subscription=subscription, periods=(period,), cutoff=cutoff, measured_until=as_of)
    return Preview(
        invoice=invoice,
        measured_until=min(as_of, period.ends_at),
        open_count=count_open(subscription, as_of=as_of, most=settings.CLOSE_MAX_PERIODS),
    )


def draft_periods(
    *, subscription: Subscription, periods: Sequence[Period], cutoff: int, measured_until: datetime | None = None
) -> list[DraftInvoice]:
    """Return the drafts of the given open periods of a subscription, whose workspace is loaded, as of a cutoff.

    ``measured_until`` excludes usage from that moment on. The differences of closed periods are on the first draft.
    Raises one of ``REFUSALS``.
    """
    lines = tuple(lines_of([subscription], workspace_id=subscription.workspace_id))
    due = Due(subscription=subscription, lines=lines, periods=tuple(periods))
    return draft(dues=[due], cutoff=cutoff, measured_until=measured_until)
