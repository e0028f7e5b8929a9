"""Data of an invoice's page: an issued invoice is shown by its document, with current names beside the issued ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from billing import figures
from billing.aggregations import OF_BRICKS
from billing.documents import DocumentLine, InvoiceDocument
from billing.models import Invoice, InvoiceLine


@dataclass(frozen=True, slots=True)
class Named:
    """A text as issued; ``today`` is its current value, None if unchanged."""

    text: str
    today: str | None = None


def named(issued: str | None, today: str | None) -> Named:
    text, now = issued or figures.NOTHING, today or figures.NOTHING
    return Named(text, None if text == now else now)


def parties_of(invoice: Invoice) -> dict[str, Named]:
    """Return the customer and the issuer of an invoice: from its document, or the current ones of a draft."""
    customer, workspace, subscription = invoice.customer, invoice.workspace, invoice.subscription
    issued: Any = InvoiceDocument.from_json(invoice.document) if invoice.document else invoice
    return {
        "customer": named(issued.customer.name, customer.name),
        "email": named(issued.customer.email, customer.email),
        "address": named(issued.customer.address, customer.address),
        "workspace": named(issued.workspace.name, workspace.name),
        "reference": named(issued.subscription.reference, subscription.reference),
    }


def rows_of(invoice: Invoice) -> QuerySet[InvoiceLine]:
    return invoice.lines.select_related("price", "line__brick", "rule").order_by("position")


def lines_of(invoice: Invoice, rows: Iterable[InvoiceLine]) -> list[dict[str, Any]]:
    """Return an invoice's lines for display, with the names in its document, or the current ones of a draft."""
    lines = InvoiceDocument.from_json(invoice.document).lines if invoice.document else ()
    issued = {line.position: line for line in lines}
    return [_line(row, issued.get(row.position)) for row in rows]


def _line(row: InvoiceLine, issued: DocumentLine | None) -> dict[str, Any]:
    brick = row.line.brick
    said: Any = issued or row
    aggregation = issued.aggregation if issued else brick.aggregation
    return {
        "row": row,
        "description": named(said.description, brick.name),
        "price": named(said.price.name, row.price.name),
        "unit": named(issued.unit_label if issued else brick.unit_label, brick.unit_label),
        "is_true_up": row.kind == InvoiceLine.Kind.TRUE_UP,
        "metering": OF_BRICKS[aggregation],
        "is_prorated": row.days != row.of_days,
    }
