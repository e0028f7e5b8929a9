"""A run's drafts as they are reviewed: each beside its subscription's previous invoice, surprises first."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, FloatField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Abs, Cast, Coalesce

from billing.models import CloseRun, Invoice
from usage.closing import MissingProperty, surprising_lines


@dataclass(frozen=True, slots=True)
class Change:
    """How a draft's total differs from the previous invoice's; `percent` is None where that was zero."""

    amount: Decimal
    percent: Decimal | None


def drafts_of(run: CloseRun, told: Iterable[MissingProperty] = ()) -> QuerySet[Invoice]:
    """Return a run's invoices, issued ones too, with `previous_total` and its number; a fixed number of queries.

    ``told``: what is said of all of them at once, and no surprise of one.
    """
    earlier = Invoice.objects.filter(
        workspace_id=run.workspace_id, subscription=OuterRef("subscription"), pk__lt=OuterRef("pk")
    ).order_by("-pk")
    surprising = surprising_lines(told)
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
    # A float is good enough to sort by: nothing is computed from it.
    change = Cast(F("total"), FloatField()) - Cast(F("previous_total"), FloatField())
    return drafts.order_by("-has_surprise", Coalesce(Abs(change), 0.0).desc(), "pk")


def change_of(draft: Any) -> Change | None:
    if draft.previous_total is None:
        return None
    amount = draft.total - draft.previous_total
    percent = round(amount * 100 / abs(draft.previous_total)) if draft.previous_total else None
    return Change(amount=amount, percent=None if percent is None else Decimal(percent))
