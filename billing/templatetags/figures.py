"""Figures in templates, written as the admin's lists write them."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template

from billing import figures
from billing.entry.numbers import NumberFormat, in_format
from billing.models import EventRule, Subscription
from billing.money import format_decimal, format_money, format_price

register = template.Library()

# Of one value: 100 tiers of a price have fewer.
MOST_LETTERS = 10_000


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    return figures.NOTHING if amount is None else format_money(amount, currency=currency)


@register.filter
def price(amount: Decimal, currency: str) -> str:
    return format_price(amount, currency=currency)


@register.filter
def quantity(value: Decimal | None) -> str:
    return figures.NOTHING if value is None else format_decimal(value)


@register.filter
def spelled(plain: str | int, style: str) -> str:
    """Write what another filter made of a figure, or a count, in a workspace's format of numbers."""
    text = str(plain)
    return text if text == figures.NOTHING else in_format(text, NumberFormat(style))


@register.filter
def arithmetic(text: str, style: str) -> str:
    """Write the numbers of a step's text in a workspace's format; the document has them plain."""
    return re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda found: in_format(found[0], NumberFormat(style)), text)


@register.filter
def identifier(value: Any) -> str:
    return figures.identifier(None if value is None else str(value))


@register.filter
def beginning(value: Any) -> str:
    """Write a value that may be long, such as the filters of a rule: how it begins, and how much more there is."""
    return figures.beginning(str(value), MOST_LETTERS)


@register.filter
def event_rule(rule: EventRule) -> str:
    return figures.event_rule(rule)


@register.filter
def day(at: datetime | None, tz: ZoneInfo) -> str:
    return figures.day(at, tz)


@register.filter
def last_day(ends_at: datetime | None, tz: ZoneInfo) -> str:
    return figures.last_day(ends_at, tz)


@register.filter
def moment(at: datetime | None, tz: ZoneInfo) -> str:
    return figures.moment(at, tz)


@register.simple_tag
def days(starts_at: datetime, ends_at: datetime | None, tz: ZoneInfo) -> str:
    return figures.days(starts_at, ends_at, tz)


@register.simple_tag
def open_period(subscription: Subscription, tz: ZoneInfo) -> str:
    return figures.open_period(subscription, tz)
