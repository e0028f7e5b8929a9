"""Figures in templates: written in the formats and the time zone of the workspace that the panel shows."""

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

# Of one value: 100 tiers of a price have fewer.
MOST_LETTERS = 10_000


def _formats(context: Any) -> Formats:
    from billing.admin import shown  # noqa: PLC0415  (unfold's own forms load the tags, before there is a panel)

    return shown.workspace_of(context["request"]).formats


@register.simple_tag(takes_context=True)
def amount(context: Any, value: Decimal | None, currency: str, *, bare: bool = False) -> str:
    """Write an amount of money, such as “EUR 1,234.50”; ``bare`` leaves out the currency, which a heading names."""
    if value is None:
        return figures.NOTHING
    text = in_format(format_money(value, currency=currency), _formats(context).numbers)
    return text if bare else f"{currency} {text}"


@register.simple_tag(takes_context=True)
def unit_price(context: Any, value: Decimal, currency: str) -> str:
    """Write an amount that is not rounded, with its currency's decimals at least: “EUR 0.00025”."""
    return f"{currency} {in_format(format_price(value, currency=currency), _formats(context).numbers)}"


@register.simple_tag(takes_context=True)
def number(context: Any, value: Decimal | None) -> str:
    """Write a quantity with its own decimals; a dash where there is none."""
    return figures.quantity(value, _formats(context).numbers)


@register.simple_tag(takes_context=True)
def count(context: Any, value: int, *, none: str = "0") -> str:
    """Write a number of things, grouped by thousands; ``none`` in place of zero."""
    return figures.count(value, _formats(context).numbers) if value else none


@register.simple_tag(takes_context=True)
def arithmetic(context: Any, text: str) -> str:
    """Write the numbers of a step's text in the workspace's format; a document has them plain."""
    style = _formats(context).numbers
    return re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda found: in_format(found[0], style), text)


@register.simple_tag(takes_context=True)
def day(context: Any, at: datetime | None) -> str:
    """Write the day of a moment: “1 Jan 2026”; a dash where there is none."""
    return figures.day(at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def last_day(context: Any, ends_at: datetime | None) -> str:
    """Write an end as the last day that it covers; a dash where there is none."""
    return figures.last_day(ends_at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def moment(context: Any, at: datetime | None) -> str:
    """Write a moment to the minute: “1 Jan 2026, 14:05”; a dash where there is none."""
    return figures.moment(at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def days(context: Any, starts_at: datetime, ends_at: datetime | None) -> str:
    """Write a span as its first and last day: “1 Jan – 31 Jan 2026”."""
    return figures.days(starts_at, ends_at, _formats(context).tz)


@register.simple_tag(takes_context=True)
def open_period(context: Any, subscription: Subscription) -> str:
    """Write the oldest period of a subscription that is not closed; a dash where all are."""
    return figures.open_period(subscription, _formats(context).tz)


@register.simple_tag
def oldest_of(open_count: int, most: int) -> str:
    """Say how many open periods one is the oldest of; nothing of the only one. More than ``most`` are not counted."""
    if open_count <= 1:
        return ""
    return f", the oldest of {f'more than {most}' if open_count > most else open_count} open periods"


@register.filter
def moment_in(at: datetime | None, tz: ZoneInfo) -> str:
    """Write a moment to the minute in a zone of its own: on the page of a workspace that is not the one shown."""
    return figures.moment(at, tz)


@register.filter
def identifier(value: Any) -> str:
    """Write an identifier so that blanks at its ends are seen; a dash where there is none."""
    return figures.identifier(None if value is None else str(value))


@register.filter
def beginning(value: Any) -> str:
    """Write a value that may be long, such as the filters of a rule: its beginning, and how much more there is."""
    return figures.beginning(str(value), MOST_LETTERS)


@register.filter
def event_rule(rule: EventRule) -> str:
    """Write what a rule counts: “message-sent: total of length where type is text or fax”."""
    return figures.event_rule(rule)
