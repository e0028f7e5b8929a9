"""Figures in templates, written as the admin's lists write them."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template

from billing import figures
from billing.models import EventRule
from billing.money import format_money

register = template.Library()


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    return figures.NOTHING if amount is None else format_money(amount, currency=currency)


@register.filter
def quantity(value: Decimal | None) -> str:
    return figures.quantity(value)


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
