"""What an invoice says, as one canonical text: written when it is issued, compared when it is replayed."""

from datetime import datetime
from typing import Any

from billing.models import Invoice, InvoiceLine
from billing.money import format_decimal, format_money
from billing.storage.jsontext import encode_canonical


def document_of(invoice: Invoice) -> str:
    """Return the invoice's document: sorted JSON, decimals as text, moments in UTC.

    Reads the invoice's customer, subscription, workspace and lines with their bricks and prices: load them first.
    """
    lines = sorted(invoice.lines.all(), key=lambda line: line.position)
    return encode_canonical(header_of(invoice) | {"lines": [line_document(line, invoice) for line in lines]})


def header_of(invoice: Invoice) -> dict[str, Any]:
    """Return all but the lines."""
    customer, subscription, workspace = invoice.customer, invoice.subscription, invoice.workspace
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "issued_at": moment(invoice.issued_at),
        "workspace": {
            "code": workspace.code,
            "mode": workspace.mode,
            "name": workspace.name,
            "time_zone": workspace.time_zone,
        },
        "customer": {
            "id": str(customer.pk),
            "name": customer.name,
            "reference": customer.reference,
            "email": customer.email,
            "address": customer.address,
        },
        "subscription": {"id": str(subscription.pk), "reference": subscription.reference},
        "period": {"starts_at": moment(invoice.starts_at), "ends_at": moment(invoice.ends_at)},
        "currency": invoice.currency,
        "cutoff": invoice.cutoff,
        "total": format_money(invoice.total, currency=invoice.currency),
    }


def line_document(line: InvoiceLine, invoice: Invoice) -> dict[str, Any]:
    """Return one line with its price's terms and its arithmetic."""
    return {
        "position": line.position,
        "kind": line.kind,
        "description": line.description,
        "line_id": line.line.number,
        "brick_id": str(line.line.brick_id),
        "aggregation": line.line.brick.aggregation,
        "unit_label": line.line.brick.unit_label,
        "period": {"starts_at": moment(line.starts_at), "ends_at": moment(line.ends_at)},
        "days": line.days,
        "of_days": line.of_days,
        "cutoff": line.cutoff,
        "quantity": format_decimal(line.quantity),
        "record_count": line.record_count,
        "price": {"id": line.price_id, "name": line.price.name, "terms": line.price.terms().as_dict()},
        "steps": line.steps,
        "surprise": line.surprise,
        "rated": format_money(line.rated, currency=invoice.currency),
        "billed_before": format_money(line.billed_before, currency=invoice.currency),
        "amount": format_money(line.amount, currency=invoice.currency),
    }


def moment(value: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with a Z."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")
