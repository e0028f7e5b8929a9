"""The billing periods of a subscription."""

from datetime import datetime

from billing.calendar import Interval, Period, period_at
from billing.models import Subscription


def open_period(subscription: Subscription) -> Period | None:
    """Return the subscription's first period that is not closed, or None where none is left."""
    return period_around(subscription, subscription.open_from_at)


def period_around(subscription: Subscription, moment: datetime) -> Period | None:
    """Return the subscription's period that contains a moment, or None outside of its life.

    Raises ``CalendarOutOfRange``.
    """
    return period_at(
        moment,
        anchor_on=subscription.anchor_on,
        interval=Interval(subscription.interval),
        tz=subscription.workspace.tz,
        starts_at=subscription.starts_at,
        ends_at=subscription.ends_at,
    )


def next_close_at(subscription: Subscription) -> datetime | None:
    """Return the moment at which the subscription's first open period ends, or None where none is left."""
    period = open_period(subscription)
    return None if period is None else period.ends_at
