"""How figures are written for people: money, quantities, days and moments in a workspace's time zone."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import dateformat

from billing import calendar
from billing.money import format_decimal, format_money

NOTHING = "–"
_MICROSECOND = timedelta(microseconds=1)


def money(amount: Decimal, currency: str) -> str:
    return f"{currency} {format_money(amount, currency=currency)}"


def quantity(value: Decimal | None) -> str:
    return NOTHING if value is None else format_decimal(value)


def day(at: datetime | None, tz: ZoneInfo) -> str:
    return NOTHING if at is None else dateformat.format(at.astimezone(tz), "j M Y")


def last_day(ends_at: datetime | None, tz: ZoneInfo) -> str:
    """Write an end, the first moment that is no longer covered, as the last day that is."""
    return NOTHING if ends_at is None else day(ends_at - _MICROSECOND, tz)


def days(starts_at: datetime, ends_at: datetime | None, tz: ZoneInfo) -> str:
    """Write a half-open span as its first and last day: "1 Jan – 31 Jan 2026"."""
    if ends_at is None:
        return f"from {day(starts_at, tz)}"
    first, last = starts_at.astimezone(tz), (ends_at - _MICROSECOND).astimezone(tz)
    if first.date() == last.date():
        return day(starts_at, tz)
    begin = dateformat.format(first, "j M" if first.year == last.year else "j M Y")
    return f"{begin} – {dateformat.format(last, 'j M Y')}"


def moment(at: datetime | None, tz: ZoneInfo) -> str:
    return NOTHING if at is None else dateformat.format(at.astimezone(tz), "j M Y, H:i")


def end_of(last: date | None, tz: ZoneInfo) -> datetime | None:
    """Return the first moment after a last day, which people name inclusively and may leave open."""
    return None if last is None else calendar.end_of(last, tz=tz)
