"""Translate a mutation's arguments into a command."""

import uuid
from decimal import Decimal
from typing import Any

from usage.commands import LineByBrick, Origin, RecordUsage
from usage.dialects.salesbricks_v1.errors import bad_input

# The ledger's field names -> arguments; the quantity's argument differs between mutations.
FIELDS = {"line": "brickId", "occurred_at": "timestamp"}


def line_of(sent: dict[str, Any]) -> LineByBrick:
    """Return the address of the line in the arguments; raise ``GraphQLError`` if an id is not a UUID."""
    return LineByBrick(_uuid(sent, "subscriptionId"), _uuid(sent, "brickId"))


def record_usage(sent: dict[str, Any], *, line: LineByBrick, quantity: int, origin: Origin) -> RecordUsage:
    return RecordUsage(origin=origin, address=line, quantity=Decimal(quantity), occurred_at=sent["timestamp"])


def _uuid(sent: dict[str, Any], field: str) -> uuid.UUID:
    try:
        return uuid.UUID(sent[field])
    except ValueError:
        raise bad_input("Must be a valid UUID.", field) from None
