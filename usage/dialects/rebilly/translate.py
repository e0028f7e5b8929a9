"""Translate Rebilly's usages into commands, and records into Rebilly's usages."""

from datetime import datetime
from typing import Any

from usage.commands import LineByName, Origin, RecordById, RecordUsage, RetractUsage
from usage.dialects.rebilly import identifiers
from usage.dialects.rebilly.rows import InvoiceItem
from usage.dialects.shared.fields import json_number
from usage.ledger import Recorded
from usage.models import UsageRecord


def record_usage(data: dict[str, Any], *, origin: Origin, requested_at: datetime) -> RecordUsage:
    return RecordUsage(
        origin=origin,
        address=LineByName(data["subscriptionId"]),
        quantity=data["quantity"],
        occurred_at=data["usageTime"] or requested_at,
        accepts_part=data["acceptPartialQuantity"],
    )


def retract_usage(number: int, *, origin: Origin) -> RetractUsage:
    return RetractUsage(origin=origin, target=RecordById(number))


def new_usage(recorded: Recorded, *, collection: str) -> dict[str, Any]:
    """Return the body of a new usage; ``collection`` is the URL of the list."""
    return _usage(
        recorded,
        line_name=recorded.line_reference or str(recorded.line_number),
        created_at=recorded.recorded_at,
        item=None,
        collection=collection,
    )


def usage(record: UsageRecord, *, item: InvoiceItem | None, collection: str) -> dict[str, Any]:
    """Return a record of ``rows.usages`` as Rebilly's usage."""
    assert record.line is not None
    return _usage(
        record,
        line_name=record.line.reference or str(record.line.number),
        created_at=record.created_at,  # type: ignore[attr-defined]  # annotated
        item=item,
        collection=collection,
    )


def _usage(
    record: Recorded | UsageRecord,
    *,
    line_name: str,
    created_at: datetime,
    item: InvoiceItem | None,
    collection: str,
) -> dict[str, Any]:
    usage_id = identifiers.shown(identifiers.USAGE, record.handle)
    return {
        "id": usage_id,
        "subscriptionId": line_name,
        "invoiceId": item and identifiers.shown(identifiers.INVOICE, item.invoice_id),
        "invoiceItemId": item and identifiers.shown(identifiers.INVOICE_ITEM, item.line_id),
        "quantity": json_number(record.quantity),  # type: ignore[arg-type]  # a line's record has one
        "usageTime": _utc(record.occurred_at),
        "createdTime": _utc(created_at),
        "updatedTime": _utc(record.recorded_at),
        "_links": [{"href": f"{collection}/{usage_id}", "rel": "self"}],
    }


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
