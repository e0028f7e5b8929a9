"""Between Salesbricks' words and ours."""

from collections.abc import Mapping
from typing import Any

from usage.commands import KEEP, CorrectUsage, LineByBrick, Origin, RecordByKey, RecordUsage, RetractUsage
from usage.dialects.salesbricks_v2.serializers import DEPRECATED

DEPRECATION = {
    "code": "DEPRECATED_FIELD",
    "field": DEPRECATED,
    "message": "'count' is deprecated; use 'value'.",
}


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
