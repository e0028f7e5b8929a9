"""Ids in Sequence's form, derived from internal ids and not stored: version 7 UUIDs, which sort by creation time."""

import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION, _VARIANT = 7 << 76, 0b10 << 62
_OURS = (1 << 62) - 1


def public_id(own_id: int, made_at: datetime) -> uuid.UUID:
    """Return the public id of a row: its creation time in milliseconds in the first 48 bits, its id in the last 62."""
    return uuid.UUID(int=(made_at - _EPOCH) // _MILLISECOND << 80 | _VERSION | _VARIANT | own_id)


def own_id(told: uuid.UUID) -> int:
    """Return the row's id in a public id; the caller has to compare the row's creation time."""
    return told.int & _OURS
