"""Queries of the amounts, days, rules and notices of a line's periods on earlier invoices and drafts.

Invoice lines are identified by the line and the start of the measured window.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Max, Q

from billing.models import EventRule, InvoiceLine
from billing.storage.exact import ExactSum
from billing.storage.rows import is_among


@dataclass(frozen=True, slots=True)
class Billed:
    """The amount billed for a line in a period, and the calendar days that the line covered."""

    amount: Decimal
    days: int
    of_days: int


def billed_before(*, workspace_id: int, subscription_ids: Sequence[UUID]) -> dict[tuple[int, datetime], Billed]:
    """Return the billed amounts and days, including drafts, per line and start of the measured window; one query."""
    of_usage = Q(kind=InvoiceLine.Kind.USAGE)
    rows = (
        InvoiceLine.objects.filter(workspace_id=workspace_id, line__subscription__in=subscription_ids)
        .values("line_id", "starts_at")
        .annotate(
            billed=ExactSum(F("amount")),
            covered=Max("days", filter=of_usage),
            of=Max("of_days", filter=of_usage),
        )
        .values_list("line_id", "starts_at", "billed", "covered", "of")
    )
    return {(line_id, starts_at): Billed(amount, days, of_days) for line_id, starts_at, amount, days, of_days in rows}


def billed_by_earlier(line: InvoiceLine) -> Decimal:
    """Return the amount that earlier invoices and drafts billed for an invoice line's window; one query."""
    of_window = InvoiceLine.objects.filter(
        workspace_id=line.workspace_id, line_id=line.line_id, starts_at=line.starts_at
    )
    earlier = of_window.filter(invoice_id__lt=line.invoice_id)
    return earlier.aggregate(billed=ExactSum(F("amount")))["billed"] or Decimal(0)


@dataclass(frozen=True, slots=True)
class Told:
    """Notices of an invoice line about its whole period; see the columns of ``InvoiceLine``."""

    surprise: str = ""
    filter_gaps: Mapping[str, int] = field(default_factory=dict)


def last_told(*, workspace_id: int, windows: Collection[tuple[int, datetime]]) -> dict[tuple[int, datetime], Told]:
    """Return the latest notices, including drafts, per line and start of the measured window; one query."""
    starts = [starts_at for _, starts_at in windows]
    rows = InvoiceLine.objects.filter(
        is_among("billing_invoiceline.line_id", sorted({line_id for line_id, _ in windows})),
        workspace=workspace_id,
        starts_at__gte=min(starts),
        starts_at__lte=max(starts),
    )
    said = rows.order_by("cutoff").values_list("line_id", "starts_at", "surprise", "filter_gaps")
    # Of several, the one with the latest cutoff.
    return {(line_id, starts_at): Told(surprise, gaps) for line_id, starts_at, surprise, gaps in said}


def billed_rules(*, workspace_id: int, line_ids: Sequence[int]) -> dict[tuple[int, datetime], EventRule]:
    """Return the rule by which events were measured, per line and start of the measured window; one query."""
    of_lines = is_among("billing_invoiceline.line_id", line_ids)
    with_rule = {"kind": InvoiceLine.Kind.USAGE, "rule__isnull": False}
    rows = InvoiceLine.objects.filter(of_lines, workspace_id=workspace_id, **with_rule)
    return {
        (row.line_id, row.starts_at): row.rule
        for row in rows.select_related("rule").only("line_id", "starts_at", "rule")
        if row.rule
    }
