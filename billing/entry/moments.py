"""Parse days and moments that users write, in ISO 8601 or the workspace's format. No other code parses them.

A text that is valid only in another format is refused, with the days that it could mean. A time that occurs twice
requires its offset from UTC; a time that is skipped is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

MAX_LENGTH = 64
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class DayFormat(StrEnum):
    ISO = "iso"
    DOTS = "dd.mm.yyyy"
    DAY_FIRST = "dd/mm/yyyy"
    MONTH_FIRST = "mm/dd/yyyy"


EXAMPLES = {
    DayFormat.ISO: "2026-11-30",
    DayFormat.DOTS: "30.11.2026",
    DayFormat.DAY_FIRST: "30/11/2026",
    DayFormat.MONTH_FIRST: "11/30/2026",
}
_PATTERNS = {
    DayFormat.ISO: re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"),
    DayFormat.DOTS: re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})"),
    DayFormat.DAY_FIRST: re.compile(r"(?P<day>[0-9]{1,2})/(?P<month>[0-9]{1,2})/(?P<year>[0-9]{4})"),
    DayFormat.MONTH_FIRST: re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})"),
}
_WRITTEN = {
    DayFormat.ISO: "{0:04}-{1:02}-{2:02}",
    DayFormat.DOTS: "{2:02}.{1:02}.{0:04}",
    DayFormat.DAY_FIRST: "{2:02}/{1:02}/{0:04}",
    DayFormat.MONTH_FIRST: "{1:02}/{2:02}/{0:04}",
}
_SHORT_YEAR = re.compile(r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}")
_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    r"(?:\s*(?P<offset>Z|[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?))?"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A parsed day; as text, “Tue 10 Nov 2026”."""

    value: date

    def __str__(self) -> str:
        return spell_day(self.value)


@dataclass(frozen=True, slots=True)
class Moment:
    """A parsed moment, in UTC, with its zone; as text, “Tue 10 Nov 2026, 14:30”."""

    value: datetime
    tz: ZoneInfo

    def __str__(self) -> str:
        return spell_moment(self.value, self.tz)


@dataclass(frozen=True, slots=True)
class UnreadDay:
    """A text that is not a day in the format: the reason, and the days that it could mean in other formats."""

    text: str
    reason: str
    readings: tuple[Day, ...] = ()

    def __str__(self) -> str:
        return _refusal(self.reason, map(str, self.readings))


@dataclass(frozen=True, slots=True)
class UnreadMoment:
    """A text that is not a unique moment: the reason, and the moments that it could mean."""

    text: str
    reason: str
    readings: tuple[Moment | Day, ...] = ()

    def __str__(self) -> str:
        return _refusal(self.reason, map(str, self.readings))


def read_day(text: str, style: DayFormat) -> Day | UnreadDay:
    """Parse a day in ISO 8601 or in a format, in which leading zeros of days and months are optional."""
    text = text.strip()
    if not text:
        return UnreadDay(text, "A day is missing.")
    if len(text) > MAX_LENGTH:
        return UnreadDay(text, f"A day has at most {MAX_LENGTH} characters.")
    for own in (DayFormat.ISO, style):
        if (day := _day(text, own)) is not None:
            return Day(day)
    days = (_day(text, other) for other in DayFormat)
    readings = tuple(Day(day) for day in dict.fromkeys(day for day in days if day is not None))
    return UnreadDay(text, _reason(text, style), readings)


def read_moment(text: str, style: DayFormat, tz: ZoneInfo) -> Moment | UnreadMoment:
    """Parse a day in ISO 8601 or in a format, followed by a local time: “2026-11-10 14:30”.

    Seconds, a fraction and an offset (“+01:00”, “Z”) may follow. Without an offset, a time that occurs twice is refused
    with both moments.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        return UnreadMoment(text, f"A moment has at most {MAX_LENGTH} characters.")
    first, _, rest = text.replace("T", " ", 1).partition(" ")
    day = read_day(first, style)
    if isinstance(day, UnreadDay):
        return UnreadMoment(text, day.reason, day.readings)
    if not rest.strip():
        return UnreadMoment(text, "A time is missing.")
    found = _TIME.fullmatch(rest.strip())
    clock = found and _clock(found)
    if found is None or clock is None:
        return UnreadMoment(text, f"“{rest.strip()}” is not a time: write it as 14:30.")
    return _at(text, datetime.combine(day.value, clock), found["offset"], tz)


def write_day(day: date, style: DayFormat) -> str:
    """Format a day; parsing the text gives the same day."""
    return _WRITTEN[style].format(day.year, day.month, day.day)


def write_time(at: datetime, tz: ZoneInfo) -> str:
    """Format the local time of a moment: “14:30”, with seconds if there are any."""
    local = at.astimezone(tz)
    return local.strftime("%H:%M:%S" if local.second else "%H:%M")


def spell_day(day: date) -> str:
    """Format a day unambiguously: “Tue 10 Nov 2026”."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year:04}"


def spell_moment(at: datetime, tz: ZoneInfo) -> str:
    """Format a moment as local time, with its offset if that time occurs twice."""
    local = at.astimezone(tz)
    twice = f" ({offset_of(at, tz)})" if len(_moments(local.replace(tzinfo=None), tz)) > 1 else ""
    return f"{spell_day(local.date())}, {write_time(at, tz)}{twice}"


def offset_of(at: datetime, tz: ZoneInfo) -> str:
    """Format the zone's offset from UTC at a moment: “+01:00”."""
    return at.replace(microsecond=0).astimezone(tz).isoformat()[19:]


def _refusal(reason: str, readings: Iterable[str]) -> str:
    could_be = " or ".join(readings)
    return f"{reason} It could mean {could_be}: write the day as YYYY-MM-DD." if could_be else reason


def _day(text: str, style: DayFormat) -> date | None:
    found = _PATTERNS[style].fullmatch(text)
    try:
        return found and date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return None


def _reason(text: str, style: DayFormat) -> str:
    if _SHORT_YEAR.fullmatch(text):
        return f"“{text}” is ambiguous: write the year with four digits."
    if any(_PATTERNS[own].fullmatch(text) for own in (DayFormat.ISO, style)):
        return f"“{text}”: there is no such day."
    ways = dict.fromkeys((EXAMPLES[style], EXAMPLES[DayFormat.ISO]))
    return f"“{text}” is not written as {' or '.join(ways)}."


def _clock(found: re.Match[str]) -> time | None:
    microsecond = int((found["fraction"] or "0").ljust(6, "0"))
    try:
        return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0), microsecond)
    except ValueError:
        return None


def _at(text: str, wall: datetime, offset: str | None, tz: ZoneInfo) -> Moment | UnreadMoment:
    try:
        if offset is not None:
            return Moment(datetime.fromisoformat(f"{wall.isoformat()}{offset}").astimezone(UTC), tz)
        moments = _moments(wall, tz)
    except (OverflowError, ValueError):
        return UnreadMoment(text, f"“{text}” is outside the years 1 to 9999, or its offset is not valid at that time.")
    if not moments:
        return UnreadMoment(text, f"{wall:%H:%M} does not exist on {spell_day(wall.date())} in {tz.key}.")
    if len(moments) > 1:
        twice = f"{wall:%H:%M} occurs twice on {spell_day(wall.date())} in {tz.key}."
        return UnreadMoment(text, twice, tuple(Moment(at, tz) for at in moments))
    return Moment(moments[0], tz)


def _moments(wall: datetime, tz: ZoneInfo) -> list[datetime]:
    """Return the moments with a local time: one, two in a repeated hour, or none in a skipped one."""
    both = [wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [at for at in both if at.astimezone(tz).replace(tzinfo=None, fold=0) == wall.replace(fold=0)]
    return sorted(set(shown))
