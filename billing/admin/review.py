"""Data for the review of a close run: its progress, and its drafts beside their subscriptions' previous invoices."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, FloatField, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Abs, Cast, Coalesce

from billing.models import CloseItem, CloseRun, Invoice, InvoiceLine


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between a draft's total and the previous invoice's; ``percent`` is None if that was zero."""

    amount: Decimal
    percent: Decimal | None


def drafts_of(run: CloseRun, surprising: QuerySet[InvoiceLine]) -> QuerySet[Invoice]:
    """Return a run's invoices, issued ones too: those with surprises first, then by the size of their change.

    ``surprising`` are the lines to be reviewed, of any invoice. Each returned invoice has its own ones as
    ``surprising_lines``, and the previous invoice's ``previous_id``, ``previous_number`` and ``previous_total``. The
    number of queries is fixed.
    """
    earlier = Invoice.objects.filter(
        workspace_id=run.workspace_id, subscription=OuterRef("subscription"), pk__lt=OuterRef("pk")
    ).order_by("-pk")
    drafts = (
        Invoice.objects.filter(workspace_id=run.workspace_id, run=run)
        .defer("document")
        .select_related("customer", "subscription", "workspace")
        .prefetch_related(Prefetch("lines", surprising.order_by("position"), to_attr="surprising_lines"))
        .annotate(
            previous_id=Subquery(earlier.values("pk")[:1]),
            previous_number=Subquery(earlier.values("number")[:1]),
            previous_total=Subquery(earlier.values("total")[:1]),
            has_surprise=Exists(surprising.filter(workspace_id=run.workspace_id, invoice=OuterRef("pk"))),
        )
    )
    # A float is exact enough to sort by; no amount is computed from it.
    change = Cast(F("total"), FloatField()) - Cast(F("previous_total"), FloatField())
    return drafts.order_by("-has_surprise", Coalesce(Abs(change), 0.0).desc(), "pk")


def change_of(draft: Any) -> Change | None:
    """Return the difference between the total of one of ``drafts_of`` and the previous invoice's; None without one."""
    if draft.previous_total is None:
        return None
    amount = draft.total - draft.previous_total
    percent = round(amount * 100 / abs(draft.previous_total)) if draft.previous_total else None
    return Change(amount=amount, percent=None if percent is None else Decimal(percent))


def progress_of(run: CloseRun) -> dict[str, Any]:
    """Return the progress of a run: in subscriptions while it computes, in invoices while it issues."""
    parked = Count("pk", filter=Q(state=CloseItem.State.PARKED))
    done = Count("pk", filter=Q(state=CloseItem.State.DONE))
    counts: dict[str, Any] = run.items.aggregate(total=Count("pk"), done=done, parked=parked)
    if run.state == CloseRun.State.ISSUING:
        issued = Count("pk", filter=Q(state=Invoice.State.ISSUED))
        counts |= run.invoices.aggregate(total=Count("pk"), done=issued)
    counts["pending"] = counts["total"] - counts["done"] - counts["parked"]
    return {"progress": counts, "is_active": run.state in CloseRun.ACTIVE}
