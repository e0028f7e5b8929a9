"""Draft invoices as values, and writing them to the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.calendar import Period
from billing.documents import columns_of
from billing.models import BillingPeriod, CloseRun, Invoice, InvoiceLine
from billing.money import difference, total_of
from billing.rating import Charge
from billing.storage import bulk


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line of a draft: the measured quantity, its whole price, and the amount that earlier invoices have billed.

    Not part of the document: ``notices`` for a reviewer that don't come from rating; ``unread_count``, the number of
    records that add nothing because their value could not be read; ``missing_count``, those of them without a value.
    """

    line_id: int
    price_id: int
    rule_id: int | None
    kind: str
    description: str
    period: Period
    days: int
    of_days: int
    cutoff: int
    quantity: Decimal
    record_count: int
    charge: Charge
    billed_before: Decimal
    notices: tuple[str, ...] = ()
    unread_count: int = 0
    missing_count: int = 0
    unread_sample: Sequence[Mapping[str, Any]] = ()
    filter_gaps: Mapping[str, int] = field(default_factory=dict)

    @property
    def amount(self) -> Decimal:
        return difference(self.charge.amount, self.billed_before)

    @property
    def surprises(self) -> list[str]:
        """All notices for a reviewer: the surprise of rating, then the line's own."""
        return [*filter(None, [self.charge.surprise]), *self.notices]


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """A draft invoice. ``closes``: it closes its period; one with only differences of an ended subscription doesn't."""

    subscription_id: UUID
    customer_id: UUID
    currency: str
    period: Period
    closes: bool
    cutoff: int
    lines: tuple[DraftLine, ...]

    @property
    def total(self) -> Decimal:
        return total_of(line.amount for line in self.lines)

    @property
    def is_billed(self) -> bool:
        """Tell whether it becomes an invoice: true-ups of zero, which are kept for their notices, don't require one."""
        return any(line.amount or line.kind == InvoiceLine.Kind.USAGE for line in self.lines)


def write_drafts(*, run: CloseRun, drafts: Sequence[DraftInvoice]) -> None:
    """Write drafts and the periods that they close, in the caller's transaction, with the subscriptions locked.

    A period with nothing to bill is closed without an invoice. Raises ``IntegrityError`` if a period is already closed.
    """
    closing = [draft for draft in drafts if draft.closes]
    periods = bulk.insert(model=BillingPeriod, rows=[_period_row(run, draft) for draft in closing])
    period_ids = {id(draft): period_id for draft, period_id in zip(closing, periods, strict=True)}
    billed = [draft for draft in drafts if draft.is_billed]
    invoices = bulk.insert(
        model=Invoice, rows=[_invoice_row(run, draft, period_ids.get(id(draft))) for draft in billed]
    )
    bulk.insert(
        model=InvoiceLine,
        rows=[
            {"workspace_id": run.workspace_id, "invoice_id": invoice_id, "position": position, **columns_of(line)}
            for draft, invoice_id in zip(billed, invoices, strict=True)
            for position, line in enumerate(draft.lines, start=1)
        ],
    )


def _period_row(run: CloseRun, draft: DraftInvoice) -> dict[str, Any]:
    return {
        "workspace_id": run.workspace_id,
        "subscription_id": draft.subscription_id,
        "run_id": run.pk,
        "starts_at": draft.period.starts_at,
        "ends_at": draft.period.ends_at,
    }


def _invoice_row(run: CloseRun, draft: DraftInvoice, period_id: int | None) -> dict[str, Any]:
    total = draft.total
    return {
        "workspace_id": run.workspace_id,
        "customer_id": draft.customer_id,
        "subscription_id": draft.subscription_id,
        "period_id": period_id,
        "run_id": run.pk,
        "state": Invoice.State.DRAFT.value,
        "kind": (Invoice.Kind.CREDIT_NOTE if total < 0 else Invoice.Kind.INVOICE).value,
        "currency": draft.currency,
        "total": total,
        "starts_at": draft.period.starts_at,
        "ends_at": draft.period.ends_at,
        "cutoff": draft.cutoff,
        "document": "",
        "document_sha256": "",
    }
