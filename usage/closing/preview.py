"""The invoice of a running period as it would be now."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from billing import contracts
from billing.invoicing.invoicing import DraftInvoice
from billing.models import Subscription
from billing.open_periods import count_open
from usage import ledger
from usage.closing.drafting import Due, draft
from usage.closing.due import lines_of


@dataclass(frozen=True, slots=True)
class Preview:
    """A subscription's oldest open period so far, and the invoice as it would be now.

    ``open_count``: how many of its periods have begun and are not closed, this one included.
    """

    invoice: DraftInvoice
    measured_until: datetime
    open_count: int


def preview(*, subscription: Subscription, as_of: datetime) -> Preview | None:
    """Return current usage and the upcoming invoice, differences of closed periods included. Writes nothing.

    None where the subscription has no open period at that time (not begun, or ended and closed).
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
    due = Due(
        subscription=subscription,
        lines=tuple(lines_of([subscription], workspace_id=subscription.workspace_id)),
        periods=(period,),
    )
    drafts = draft(dues=[due], cutoff=ledger.last_id(workspace_id=subscription.workspace_id), measured_until=as_of)
    return Preview(
        invoice=drafts[0],
        measured_until=min(as_of, period.ends_at),
        open_count=count_open(subscription, as_of=as_of, most=settings.CLOSE_MAX_PERIODS),
    )
