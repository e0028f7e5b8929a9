"""Format figures for display: money, quantities, days and moments in a workspace's time zone."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import dateformat

from billing import calendar
from billing.entry.numbers import NumberFormat, in_format, spell_number
from billing.localmoment import LocalMoment
from billing.models import EventRule, Subscription, visible
from billing.money import format_money

NOTHING = "–"
MOST_OF_RULE = 2000
_MICROSECOND = timedelta(microseconds=1)


def money(amount: Decimal, currency: str, style: NumberFormat) -> str:
    """Format an amount with its currency and minor units: "EUR 1,234.50"."""
    return f"{currency} {in_format(format_money(amount, currency=currency), style)}"


def quantity(value: Decimal | None, style: NumberFormat) -> str:
    """Format a quantity with its own decimals; a dash for None."""
    return NOTHING if value is None else spell_number(value, style)


def count(number: int, style: NumberFormat) -> str:
    """Format a count, grouped by thousands."""
    return in_format(str(number), style)


def identifier(text: str | None) -> str:
    """Format an identifier with visible blanks at its ends, since they are significant: "Customer 7␣"."""
    return visible(text) if text else NOTHING


def day(at: datetime | None, tz: ZoneInfo) -> str:
    """Format the day of a moment in a time zone: "1 Jan 2026"; a dash for None."""
    return NOTHING if at is None else dateformat.format(at.astimezone(tz), "j M Y")


def last_day(ends_at: datetime | None, tz: ZoneInfo) -> str:
    """Format an end, the first moment not covered, as the last day covered."""
    return NOTHING if ends_at is None else day(ends_at - _MICROSECOND, tz)


def last_whole_day(at: datetime, tz: ZoneInfo) -> str:
    """Format the last day that is completely over by a moment."""
    return last_day(calendar.last_midnight(at, tz=tz), tz)


def days(starts_at: datetime, ends_at: datetime | None, tz: ZoneInfo) -> str:
    """Format a half-open span as its first and last day: "1 Jan – 31 Jan 2026"; an empty span was voided."""
    if ends_at is None:
        return f"from {day(starts_at, tz)}"
    if ends_at == starts_at:
        return f"nothing (voided, from {day(starts_at, tz)})"
    first, last = starts_at.astimezone(tz), (ends_at - _MICROSECOND).astimezone(tz)
    if first.date() == last.date():
        return day(starts_at, tz)
    begin = dateformat.format(first, "j M" if first.year == last.year else "j M Y")
    return f"{begin} – {dateformat.format(last, 'j M Y')}"


def open_period(subscription: Subscription, tz: ZoneInfo) -> str:
    """Format the first open period of a subscription: "1 Aug – 31 Aug 2026"."""
    ends_at = subscription.next_close_at
    return NOTHING if ends_at is None else days(subscription.open_from_at, ends_at, tz)


def moment(at: datetime | None, tz: ZoneInfo) -> str:
    """Format a moment in a time zone, to the minute: "1 Jan 2026, 14:05"; a dash for None."""
    return NOTHING if at is None else dateformat.format(at.astimezone(tz), "j M Y, H:i")


def beginning(text: str, most: int) -> str:
    """Cut a long text and append the number of omitted characters."""
    more = len(text) - most
    return f"{text[:most]}… and {more} more characters" if more > 0 else text


def local(told: LocalMoment) -> str:
    """Format the moment of a message in the panel's format."""
    return moment(told.at, told.tz)


def event_rule(rule: EventRule) -> str:
    """Format a rule: "message-sent: total of length where type is text or fax".

    A rule with many values is cut, since an invoice shows the rules of all its lines.
    """
    named = identifier(rule.property)
    what = rule.counting.phrase.format(property=named)
    conditions = " and ".join(filters(rule.filters, rule.negated))
    where = beginning(f" where {conditions}", MOST_OF_RULE) if conditions else ""
    return f"{identifier(rule.event_type)}: {what}{where}{'' if rule.is_case_sensitive else ', in upper or lower case'}"


def filters(of_rule: Mapping[str, Sequence[str]], negated: Collection[str]) -> list[str]:
    """Format each filter of a rule: "type is text or fax", "plan is not trial"."""
    return [
        f"{identifier(name)} is {'not ' if name in negated else ''}{' or '.join(map(identifier, values))}"
        for name, values in sorted(of_rule.items())
    ]


def end_of(last: date | None, tz: ZoneInfo) -> datetime | None:
    """Return the first moment after an inclusive last day; None for None."""
    return None if last is None else calendar.end_of(last, tz=tz)
