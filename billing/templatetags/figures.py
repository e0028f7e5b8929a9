"""Template tags for figures, in the formats and the time zone of the current workspace."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template

from billing import figures
from billing.entry import Formats
from billing.entry.numbers import in_format
from billing.models import EventRule, Subscription
from billing.money import format_money, format_price

register = template.Library()

# Maximum length of one value: 100 tiers of a price are shorter.
MOST_LETTERS = 10_000


def _formats(context: Any) -> Formats:
    from billing.admin import shown  # noqa: PLC0415  (unfold's own forms load the tags, before there is a panel)

    return shown.workspace_of(context["request"]).formats


@register.simple_tag(takes_context=True)
def amount(context: Any, value: Decimal | None, currency: str, *, bare: bool = False) -> str:
    """Format an amount of money, such as “EUR 1,234.50”; ``bare`` omits the currency, if a heading contains it."""
    if value is None:
        return figures.NOTHING
    text = in_format(format_money(value, currency=currency), _formats(context).numbers)
    return text if bare else f"{currency} {text}"


@register.simple_tag(takes_context=True)
def unit_price(context: Any, value: Decimal, currency: str) -> str:
    """Format an unrounded amount with at least its currency's decimals: “EUR 0.00025”."""
    return f"{currency} {in_format(format_price(value, currency=currency), _formats(context).numbers)}"


@register.simple_tag(takes_context=True)
def number(context: Any, value: Decimal | None) -> str:
    """Format a quantity with its own decimals; a dash for None."""
    return figures.quantity(value, _formats(context).numbers)


@register.simple_tag(takes_context=True)
def count(context: Any, value: int, *, none: str = "0") -> str:
    """Format a count, grouped by thousands; ``none`` replaces zero."""
    return figures.count(value, _formats(context).numbers) if value else none


@register.simple_tag(takes_context=True)
def arithmetic(context: Any, text: str) -> str:
    """Convert the numbers in a step's text to the workspace's format; in a document they are plain."""
    style = _formats(context).numbers
    return re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda found: in_format(found[0], style), text)


@register.simple_tag(takes_context=True)
def day(context: Any, at: datetime | None) -> str:
    """Format the day of a moment: “1 Jan 2026”; a dash for None."""
    return figures.day(at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def last_day(context: Any, ends_at: datetime | None) -> str:
    """Format an end as the last day covered; a dash for None."""
    return figures.last_day(ends_at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def moment(context: Any, at: datetime | None) -> str:
    """Format a moment to the minute: “1 Jan 2026, 14:05”; a dash for None."""
    return figures.moment(at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def days(context: Any, starts_at: datetime, ends_at: datetime | None) -> str:
    """Format a span as its first and last day: “1 Jan – 31 Jan 2026”."""
    return figures.days(starts_at, ends_at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def open_period(context: Any, subscription: Subscription) -> str:
    """Format the oldest open period of a subscription; a dash if all are closed."""
    return figures.open_period(subscription, _formats(context).tz)


@register.simple_tag
def oldest_of(open_count: int, most: int) -> str:
    """Format the number of open periods after their oldest one; empty if it is the only one. Count up to ``most``."""
    if open_count <= 1:
        return ""
    return f", the oldest of {f'more than {most}' if open_count > most else open_count} open periods"


@register.filter
def moment_in(at: datetime | None, tz: ZoneInfo) -> str:
    """Format a moment to the minute in the given zone: on the page of a workspace that is not the current one."""
    return figures.moment(at, tz)


@register.filter
def identifier(value: Any) -> str:
    """Format an identifier with visible blanks at its ends; a dash for None."""
    return figures.identifier(None if value is None else str(value))


@register.filter
def beginning(value: Any) -> str:
    """Cut a long value, such as the filters of a rule, and append the number of omitted characters."""
    return figures.beginning(str(value), MOST_LETTERS)


@register.filter
def event_rule(rule: EventRule) -> str:
    """Format a rule: “message-sent: total of length where type is text or fax”."""
    return figures.event_rule(rule)
