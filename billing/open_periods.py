"""Open periods of a subscription: the ended ones that are not closed, and the running one."""

from datetime import datetime

from billing.calendar import Period
from billing.contracts import period_around, periods_from
from billing.models import Subscription


def periods_over(subscription: Subscription, until_at: datetime, *, most: int) -> tuple[Period, ...]:
    """Return, in order, the first ``most`` open periods of a subscription that end by ``until_at``.

    Raises ``CalendarOutOfRange`` if a period is outside the calendar.
    """
    return periods_from(subscription, subscription.open_from_at, until=until_at, most=most)


def count_open(subscription: Subscription, *, as_of: datetime, most: int) -> int:
    """Count the open periods that have started by ``as_of``, up to ``most`` + 1.

    Raises ``CalendarOutOfRange`` if a period is outside the calendar.
    """
    if as_of < subscription.starts_at or subscription.next_close_at is None:
        return 0
    over = periods_over(subscription, as_of, most=most)
    running = period_around(subscription, max(as_of, subscription.open_from_at))
    return len(over) + (running is not None)
