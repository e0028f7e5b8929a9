"""Translate Piriod's usages into commands, and records into Piriod's usages."""

from datetime import tzinfo
from typing import Any

from billing.localmoment import in_zone
from usage.commands import LineByNumber, Origin, RecordById, RecordUsage, RetractUsage
from usage.dialects.shared.fields import json_number
from usage.ledger import Recorded
from usage.models import UsageRecord

TEST_MODE = {"": False, "false": False, "true": True}


def record_usage(data: dict[str, Any], *, origin: Origin) -> RecordUsage:
    return RecordUsage(
        origin=origin,
        address=LineByNumber(data["subscription_line"]),
        quantity=data["quantity"],
        occurred_at=data["date_time"],
    )


def retract_usage(usage_id: int, *, origin: Origin) -> RetractUsage:
    return RetractUsage(origin=origin, target=RecordById(usage_id))


def usage(record: Recorded | UsageRecord, *, tz: tzinfo) -> dict[str, Any]:
    """Return a record as Piriod's usage: its quantity with all digits, its times with the zone's offset."""
    return {
        "id": record.handle,
        "subscription_line": record.line_number,  # type: ignore[union-attr]  # annotated
        "date_time": in_zone(record.occurred_at, tz),
        "quantity": json_number(record.quantity),  # type: ignore[arg-type]  # a line's record has one
        "creation_scheme": record.source,
        "created": in_zone(record.recorded_at, tz),
    }
