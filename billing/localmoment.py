"""A moment in a message: clients are told it as ISO 8601; who tells it to people can spell it otherwise."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)


def in_zone(at: datetime, tz: tzinfo) -> str:
    """Write a moment as ISO 8601 with its zone's offset; in UTC where that has seconds, which RFC 3339 lacks.

    Before zones were agreed, each town's clock showed its own noon.
    """
    local = at.astimezone(tz)
    offset = local.utcoffset() or timedelta(0)
    return (local.astimezone(UTC) if offset % _MINUTE else local).isoformat()


class LocalMoment(str):
    """A moment as ISO 8601 with its zone's offset; ``at`` and ``tz`` are what it says."""

    at: datetime
    tz: ZoneInfo

    def __new__(cls, at: datetime, tz: ZoneInfo) -> "LocalMoment":
        text = super().__new__(cls, in_zone(at, tz))
        text.at, text.tz = at, tz
        return text
