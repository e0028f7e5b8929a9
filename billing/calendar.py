"""Periods and billing windows: half-open [start, end), cut at local midnights, kept in UTC.

A window is computed from the subscription's anchor day and never from the window before, so an anchor on the
31st gives 28 February and then 31 March. A *period* is a window clipped to the subscription's life. Days are
those of the workspace's time zone; the clock is never read here.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class CalendarOutOfRange(ValueError):
    """The day or the moment is outside the years 1 to 9999."""


class Interval(StrEnum):
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"


_MONTHS = {Interval.MONTHLY: 1, Interval.QUARTERLY: 3, Interval.YEARLY: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """[starts_at, ends_at), in UTC. Raises ``ValueError`` if a moment is naive or nothing lies between."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        # Python subtracts two moments of the same zone by their wall-clock times, which is wrong across a DST change.
        object.__setattr__(self, "starts_at", _in_utc(self.starts_at))
        object.__setattr__(self, "ends_at", _in_utc(self.ends_at))
        if self.starts_at >= self.ends_at:
            raise ValueError(f"A period cannot start at {self.starts_at} and end at {self.ends_at}.")

    @property
    def microseconds(self) -> int:
        return (self.ends_at - self.starts_at) // _MICROSECOND

    def contains(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def intersect(self, other_start: datetime, other_end: datetime | None) -> "Period | None":
        """Return the part within [other_start, other_end), None if there is none. An end of None is open."""
        starts_at = max(self.starts_at, other_start)
        ends_at = self.ends_at if other_end is None else min(self.ends_at, other_end)
        return Period(starts_at, ends_at) if starts_at < ends_at else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The number of a billing window's calendar days that a line covers; it prorates a flat price.

    It is 0 if the line starts and ends within a day that counts for the next line.
    """

    days: int
    of_days: int

    def __post_init__(self) -> None:
        if not 0 <= self.days <= self.of_days or not self.of_days:
            raise ValueError(f"{self.days} days of {self.of_days} cannot be covered.")

    @property
    def is_whole(self) -> bool:
        return self.days == self.of_days


def midnight(day: date, *, tz: tzinfo) -> datetime:
    """Return the first moment of the local day, in UTC.

    If 00:00 occurs twice, it is the first one; if a DST gap skips it, the first moment after the gap; if a whole day is
    skipped, the start of the next day. Raises ``CalendarOutOfRange``.
    """
    try:
        return _first_moment(day, tz)
    except OverflowError:
        raise CalendarOutOfRange(f"{day} in {tz} is outside the years 1 to 9999.") from None


def end_of(day: date, *, tz: ZoneInfo) -> datetime:
    """Return the first moment after the local day, in UTC: the end of a period whose last day it is.

    Raises ``CalendarOutOfRange``.
    """
    if day == date.max:
        raise CalendarOutOfRange(f"The day after {day} is outside the years 1 to 9999.")
    return midnight(day + _DAY, tz=tz)


def last_midnight(moment: datetime, *, tz: ZoneInfo) -> datetime:
    """Return the end, in UTC, of the last local day that is completely over by the moment.

    Raises ``CalendarOutOfRange``.
    """
    day = moment.astimezone(tz).date()
    # A clock that is set back at midnight repeats the end of a day, which is already over.
    ends_at = end_of(day, tz=tz)
    return ends_at if ends_at <= moment else midnight(day, tz=tz)


def billing_period(*, index: int, anchor_on: date, interval: Interval, tz: ZoneInfo) -> Period:
    """Return the full window with this index: 0 is the anchor's, negative ones precede it.

    A window starts on the anchor's day of the month, or the last day of a shorter month.
    Raises ``CalendarOutOfRange``.
    """
    return Period(
        _window_start(index, anchor_on=anchor_on, interval=interval, tz=tz),
        _window_start(index + 1, anchor_on=anchor_on, interval=interval, tz=tz),
    )


def full_period_at(moment: datetime, *, anchor_on: date, interval: Interval, tz: ZoneInfo) -> Period:
    """Return the full window, unclipped, that contains the moment.

    Raises ``CalendarOutOfRange``, and ``ValueError`` for a naive moment.
    """
    index = _index_at(moment, anchor_on=anchor_on, interval=interval, tz=tz)
    return billing_period(index=index, anchor_on=anchor_on, interval=interval, tz=tz)


def period_at(
    moment: datetime,
    *,
    anchor_on: date,
    interval: Interval,
    tz: ZoneInfo,
    starts_at: datetime,
    ends_at: datetime | None,
) -> Period | None:
    """Return the period that contains the moment, clipped to the life [starts_at, ends_at).

    None if the moment is outside that life. Raises ``CalendarOutOfRange``.
    """
    if moment < starts_at or (ends_at is not None and moment >= ends_at):
        return None
    full = full_period_at(moment, anchor_on=anchor_on, interval=interval, tz=tz)
    return full.intersect(starts_at, ends_at)


def periods_due(
    *,
    open_from_at: datetime,
    until: datetime,
    anchor_on: date,
    interval: Interval,
    tz: ZoneInfo,
    starts_at: datetime,
    ends_at: datetime | None,
    most: int | None = None,
) -> tuple[Period, ...]:
    """Return the first ``most`` periods from ``open_from_at`` that end by ``until``, in order and clipped to the life.

    The first one starts exactly at ``open_from_at`` (or ``starts_at`` if later), even within a window: nothing is
    billed twice after a change of the workspace's time zone. Raises ``CalendarOutOfRange``.
    """
    open_from_at = max(open_from_at, starts_at)
    index = _index_at(open_from_at, anchor_on=anchor_on, interval=interval, tz=tz)
    due: list[Period] = []
    while open_from_at < until and (most is None or len(due) < most):
        full = billing_period(index=index, anchor_on=anchor_on, interval=interval, tz=tz)
        period = full.intersect(open_from_at, ends_at)
        if period is None or period.ends_at > until:
            break
        due.append(period)
        open_from_at = period.ends_at
        index += 1
    return tuple(due)


@lru_cache(maxsize=4096)
def days_between(period: Period, tz: ZoneInfo) -> int:
    """Count the local calendar days that the period touches, partly covered days included."""
    first = _wall(period.starts_at, tz)
    last = _wall(period.ends_at - _MICROSECOND, tz)
    # Zones that crossed the date line skipped a day (Apia, 30 December 2011).
    ran_ahead = (last - first) - (period.ends_at - _MICROSECOND - period.starts_at)
    skipped = max((ran_ahead + _DAY / 2) // _DAY, 0)
    return (last.date() - first.date()).days + 1 - skipped


def coverage(*, covered: Period, full: Period, tz: ZoneInfo, followed_at: datetime | None = None) -> Coverage:
    """Return how many of the full window's local calendar days the covered part touches.

    ``followed_at`` is the start of the next line of the same brick, not before the end of the covered part. A day that
    both lines touch counts only for the next line. Raises ``ValueError`` if the covered part is not within the window.
    """
    if covered.starts_at < full.starts_at or covered.ends_at > full.ends_at:
        raise ValueError(f"{covered} is not within {full}.")
    days = days_between(covered, tz)
    if followed_at is not None and _is_on_last_day(followed_at, covered, tz):
        days -= 1
    return Coverage(days=days, of_days=days_between(full, tz))


def _is_on_last_day(moment: datetime, covered: Period, tz: ZoneInfo) -> bool:
    return _wall(_in_utc(moment), tz).date() == _wall(covered.ends_at - _MICROSECOND, tz).date()


def _index_at(moment: datetime, *, anchor_on: date, interval: Interval, tz: ZoneInfo) -> int:
    local = _wall(_in_utc(moment), tz)
    months = (local.year - anchor_on.year) * 12 + local.month - anchor_on.month
    index = months // _MONTHS[interval]
    if _window_start(index, anchor_on=anchor_on, interval=interval, tz=tz) > moment:
        return index - 1
    # The clock can be set back across midnight into the previous month: then the next window has already started.
    if _window_start(index + 1, anchor_on=anchor_on, interval=interval, tz=tz) <= moment:
        return index + 1
    return index


# Closing computes the same few days and windows for every subscription of a workspace.
@lru_cache(maxsize=4096)
def _window_start(index: int, *, anchor_on: date, interval: Interval, tz: ZoneInfo) -> datetime:
    months = anchor_on.year * 12 + anchor_on.month - 1 + index * _MONTHS[interval]
    year, month = months // 12, months % 12 + 1
    if not MINYEAR <= year <= MAXYEAR:
        raise CalendarOutOfRange(f"Window {index} from {anchor_on} is outside the years 1 to 9999.")
    return midnight(date(year, month, min(anchor_on.day, monthrange(year, month)[1])), tz=tz)


@lru_cache(maxsize=4096)
def _first_moment(day: date, tz: tzinfo) -> datetime:
    wall = datetime.combine(day, time())
    moment = wall.replace(tzinfo=tz).astimezone(UTC)
    return moment if _wall(moment, tz) == wall else _end_of_gap(wall, tz)


def _end_of_gap(wall: datetime, tz: tzinfo) -> datetime:
    # PEP 495: in a gap, fold=1 uses the offset after the change and gives a moment before it; fold=0 uses the offset
    # before the change and gives a moment at it or after it.
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _wall(middle, tz) < wall:
            before = middle
        else:
            after = middle
    return after


def _wall(moment: datetime, tz: tzinfo) -> datetime:
    try:
        return moment.astimezone(tz).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise CalendarOutOfRange(f"{moment} in {tz} is outside the years 1 to 9999.") from None


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} has no time zone.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise CalendarOutOfRange(f"{moment} is outside the years 1 to 9999.") from None
