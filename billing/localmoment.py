"""Moments in messages: ISO 8601 for clients; pages can format them differently."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)


def in_zone(at: datetime, tz: tzinfo) -> str:
    """Format a moment as ISO 8601 with its zone's offset; in UTC if the offset has seconds.

    RFC 3339 does not allow seconds in an offset, which zones had before they were standardized.
    """
    local = at.astimezone(tz)
    offset = local.utcoffset() or timedelta(0)
    return (local.astimezone(UTC) if offset % _MINUTE else local).isoformat()


class LocalMoment(str):
    """A moment as ISO 8601 with its zone's offset; ``at`` and ``tz`` keep the moment and the zone."""

    at: datetime
    tz: ZoneInfo

    def __new__(cls, at: datetime, tz: ZoneInfo) -> "LocalMoment":
        text = super().__new__(cls, in_zone(at, tz))
        text.at, text.tz = at, tz
        return text
