"""Translate Salesbricks' entries into commands, and records and usage into Salesbricks' bodies."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

import msgspec

from billing.localmoment import in_zone
from billing.models import Line, Price
from billing.money import format_decimal, format_price
from billing.rating import PER_UNIT
from usage.commands import KEEP, CorrectUsage, LineByBrick, Origin, RecordByKey, RecordUsage, RetractUsage
from usage.consumption import Bucket, PeriodUsage
from usage.models import UsageRecord

# The former name of ``value``.
DEPRECATED = "count"
DEPRECATION = {
    "code": "DEPRECATED_FIELD",
    "field": DEPRECATED,
    "message": "'count' is deprecated; use 'value'.",
}

SPAN_FIELDS = {"starts_at": "from", "ends_at": "to", "size": "window"}


def record_usage(data: dict[str, Any], *, origin: Origin) -> RecordUsage:
    return RecordUsage(
        origin=origin,
        address=LineByBrick(data["subscription_id"], data["brick_id"]),
        quantity=data["value"],
        occurred_at=data["time"],
        key=data["transaction_id"],
        properties=data["properties"],
    )


def correct_usage(data: dict[str, Any], *, origin: Origin) -> CorrectUsage:
    return CorrectUsage(
        origin=origin,
        target=_target(data, origin),
        quantity=data.get("value", KEEP),
        properties=data.get("properties", KEEP),
    )


def retract_usage(data: dict[str, Any], *, origin: Origin) -> RetractUsage:
    return RetractUsage(origin=origin, target=_target(data, origin))


def _target(data: dict[str, Any], origin: Origin) -> RecordByKey:
    return RecordByKey(dialect=origin.dialect, key=data["transaction_id"])


def message(text: str, *, sent: Any) -> dict[str, Any]:
    return {"message": text} | ({"warnings": [DEPRECATION]} if uses_deprecated(sent) else {})


def uses_deprecated(sent: Any) -> bool:
    return isinstance(sent, Mapping) and sent.get(DEPRECATED) is not None


def entry(record: UsageRecord) -> dict[str, Any]:
    """Return a record as sent or last changed, with its time in UTC."""
    line: Line = record.line  # type: ignore[assignment]  # an entry has one
    return {
        "transaction_id": record.key,
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "value": _number(record.quantity),  # type: ignore[arg-type]  # a line's record has one
        "time": record.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "properties": record.properties,
    }


def period(used: PeriodUsage) -> dict[str, Any]:
    """Return a period's usage. Prices have no pre-commitment: its remainder is zero, and all usage exceeds it."""
    line = used.line
    nothing = _number(Decimal(0))
    return {
        **_span(used, line),
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "brick_name": line.brick.name,
        "pre_commitment": nothing,
        "used": _number(used.quantity),
        "overages": _number(max(used.quantity, Decimal(0))),
        "remaining": nothing,
        "unit": line.brick.unit_label,
        "overage_rate": _rate(line.price),
    }


def series(buckets: Sequence[Bucket], *, line: Line, window: str) -> dict[str, Any]:
    return {
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "brick_name": line.brick.name,
        "unit": line.brick.unit_label,
        "window": window,
        "buckets": [{**_span(bucket, line), "count": _number(bucket.quantity)} for bucket in buckets],
    }


def _span(of: PeriodUsage | Bucket, line: Line) -> dict[str, str]:
    """Return a span in the workspace's time zone, in which it starts and ends at midnight or on the hour."""
    tz = line.subscription.workspace.tz
    return {
        "starts_at": in_zone(of.period.starts_at, tz),
        "ends_at": in_zone(of.period.ends_at, tz),
    }


def _rate(price: Price) -> str | None:
    """Return the price of a further unit if it does not depend on the quantity, else None."""
    if price.pricing is not PER_UNIT:
        return None
    return format_price(price.unit_price, currency=price.currency)


def _number(quantity: Decimal) -> msgspec.Raw:
    """Return a JSON number with all its digits; whole numbers have no decimal point."""
    return msgspec.Raw(format_decimal(quantity).encode())
