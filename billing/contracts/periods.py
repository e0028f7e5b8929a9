"""Compute the billing periods of a subscription. Only this module uses its interval and anchor day.

All functions raise ``CalendarOutOfRange``.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billing.calendar import Coverage, Interval, Period, coverage, full_period_at, period_at, periods_due
from billing.models import Subscription


def open_period(subscription: Subscription) -> Period | None:
    """Return the subscription's first period that is not closed, or None if none is left."""
    return period_around(subscription, subscription.open_from_at)


def period_around(subscription: Subscription, moment: datetime) -> Period | None:
    """Return the subscription's period that contains a moment, or None outside its life.

    Raises ``CalendarOutOfRange``.
    """
    return period_at(moment, **_rhythm(subscription, subscription.workspace.tz), **_life(subscription))


def periods_from(
    subscription: Subscription, starts_at: datetime, *, until: datetime, most: int | None = None
) -> tuple[Period, ...]:
    """Return, in order, the first ``most`` periods of a subscription from a moment on that end by ``until``.

    The first one starts at that moment or, if it is later, at the subscription's start. Raises ``CalendarOutOfRange``.
    """
    rhythm = _rhythm(subscription, subscription.workspace.tz)
    return periods_due(open_from_at=starts_at, until=until, **rhythm, **_life(subscription), most=most)


def full_period(subscription: Subscription, moment: datetime, *, tz: ZoneInfo) -> Period:
    """Return the full billing window that contains a moment, even outside the subscription's life.

    ``tz``: the time zone of its workspace, which may not be loaded. Raises ``CalendarOutOfRange``.
    """
    return full_period_at(moment, **_rhythm(subscription, tz))


def coverage_of(
    subscription: Subscription, covered: Period, *, tz: ZoneInfo, followed_at: datetime | None = None
) -> Coverage:
    """Return the part of its billing window that a part of a period covers, which prorates a flat price.

    ``followed_at``: the start of the next line of the same brick. ``tz`` and errors as for ``full_period``.
    """
    full = full_period(subscription, covered.starts_at, tz=tz)
    return coverage(covered=covered, full=full, tz=tz, followed_at=followed_at)


def next_close_at(subscription: Subscription) -> datetime | None:
    """Return the moment at which the subscription's first open period ends, or None if none is left."""
    period = open_period(subscription)
    return None if period is None else period.ends_at


def _rhythm(subscription: Subscription, tz: ZoneInfo) -> dict[str, Any]:
    return {"anchor_on": subscription.anchor_on, "interval": Interval(subscription.interval), "tz": tz}


def _life(subscription: Subscription) -> dict[str, Any]:
    return {"starts_at": subscription.starts_at, "ends_at": subscription.ends_at}
