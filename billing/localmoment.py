"""A moment in a message: clients are told it as ISO 8601; who tells it to people can spell it otherwise."""

from datetime import datetime
from zoneinfo import ZoneInfo


class LocalMoment(str):
    """A moment as ISO 8601 with its zone's offset; ``at`` and ``tz`` are what it says."""

    at: datetime
    tz: ZoneInfo

    def __new__(cls, at: datetime, tz: ZoneInfo) -> "LocalMoment":
        text = super().__new__(cls, at.astimezone(tz).isoformat())
        text.at, text.tz = at, tz
        return text
