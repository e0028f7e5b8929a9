"""Queries of the usages of a workspace, and of the issued invoices that include them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import BigIntegerField, Case, DateTimeField, F, OuterRef, QuerySet, Subquery, TextField, When
from django.db.models.functions import Cast, Coalesce

from billing.models import Invoice, Workspace
from usage.chains import HANDLE, in_chain, known_as, live_as_of
from usage.models import UsageRecord

# Replaces NULL, which neither a filter nor its negation would match.
NO_INVOICE = 0

_COUNTING = "line__invoice_lines"


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """The line of an issued invoice that was the first to count a usage."""

    line_id: int
    invoice_id: int


def usages(workspace: Workspace) -> QuerySet[UsageRecord]:
    """Return the live records of the workspace's lines, with the id and time of the first record of their chains."""
    records = UsageRecord.objects.live().filter(workspace=workspace, line__isnull=False)
    # A subquery, not a join: only few records are corrections, and a join would read a first record for each.
    first = UsageRecord.objects.filter(workspace=workspace, pk=OuterRef("origin"))
    return (
        records.select_related("line")
        .only("id", "origin", "occurred_at", "recorded_at", "quantity", "line__number", "line__reference")
        .annotate(
            shown_id=HANDLE,
            created_at=Case(
                When(origin=None, then=F("recorded_at")),
                default=Subquery(first.values("recorded_at")),
                output_field=DateTimeField(),
            ),
        )
    )


def usage(workspace: Workspace, number: int) -> UsageRecord | None:
    """Return the usage with a number, or None if there is none or it was retracted."""
    return usages(workspace).filter(known_as(number)).first()


def invoice_items(workspace: Workspace, shown: Iterable[UsageRecord]) -> dict[int, InvoiceItem]:
    """Return, per usage of the workspace, the line of the issued invoice that counted it first, if any. One query."""
    ids = [record.pk for record in shown]
    if not ids:
        return {}
    found = UsageRecord.objects.filter(workspace=workspace, pk__in=ids).alias(shown_id=HANDLE)
    found = found.annotate(item_id=_first(_COUNTING, workspace), invoice_id=_first(f"{_COUNTING}__invoice", workspace))
    return {
        pk: InvoiceItem(line_id=item_id, invoice_id=invoice_id)
        for pk, item_id, invoice_id in found.values_list("pk", "item_id", "invoice_id")
        if item_id is not None
    }


def _first(what: str, workspace: Workspace) -> Subquery:
    """Return the first line of an issued invoice that counted a usage or an earlier version of it."""
    counted = UsageRecord.objects.filter(
        in_chain(OuterRef("shown_id")),
        live_as_of(F(f"{_COUNTING}__cutoff")),
        workspace=workspace,
        **{
            f"{_COUNTING}__invoice__state": Invoice.State.ISSUED,
            f"{_COUNTING}__starts_at__lte": F("occurred_at"),
            f"{_COUNTING}__ends_at__gt": F("occurred_at"),
        },
    )
    counted = counted.order_by(f"{_COUNTING}__cutoff", f"{_COUNTING}__pk")
    return Subquery(counted.values(what)[:1], output_field=BigIntegerField())


def filterable_usages(workspace: Workspace) -> QuerySet[UsageRecord]:
    """Return the usages with the columns that only filters and orders use: ``line_name`` and ``first_invoice_id``."""
    return usages(workspace).alias(
        line_name=Coalesce("line__reference", Cast("line__number", TextField())),
        first_invoice_id=Coalesce(_first(f"{_COUNTING}__invoice", workspace), NO_INVOICE),
    )
