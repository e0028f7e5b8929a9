"""Load dues: the lines of subscriptions and the open periods that a run has to bill."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from billing import figures
from billing.calendar import Period
from billing.models import Line, Subscription
from billing.open_periods import periods_over


class TooManyPeriods(Exception):
    """More periods are due than ``CLOSE_MAX_PERIODS``: the subscription probably starts in a wrong year."""


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription with its lines and the open periods to bill, in order; loaded and locked by the caller."""

    subscription: Subscription
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]

    @property
    def counting_lines(self) -> list[Line]:
        """The lines that count events of the customer; other lines count their own records."""
        return [line for line in self.lines if line.brick.metering.takes_events]

    @property
    def bills_differences(self) -> bool:
        """Tell whether differences are billed now: a period is due, or the subscription has ended and is closed."""
        return bool(self.periods) or self.subscription.next_close_at is None


def lines_of(subscriptions: Sequence[Subscription], *, workspace_id: int) -> QuerySet[Line]:
    """Return the lines of a workspace's subscriptions in id order, with their bricks and prices."""
    # Prefetch instead of join: thousands of lines share a few bricks and prices.
    of_these = Line.objects.filter(workspace_id=workspace_id, subscription__in=[row.pk for row in subscriptions])
    return of_these.prefetch_related("brick", "price__tiers").order_by("id")


def dues_of(subscriptions: Sequence[Subscription], lines: Iterable[Line], until_at: datetime) -> list[Due]:
    """Return subscriptions, whose workspace is loaded, with their lines and the open periods that end by a moment.

    Raises ``TooManyPeriods``, and ``CalendarOutOfRange`` if a period is outside the calendar.
    """
    of_subscription: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        of_subscription[line.subscription_id].append(line)
    return [
        Due(
            subscription=subscription,
            lines=tuple(of_subscription[subscription.pk]),
            periods=_periods_due(subscription, until_at),
        )
        for subscription in subscriptions
    ]


def _periods_due(subscription: Subscription, until_at: datetime) -> tuple[Period, ...]:
    if subscription.next_close_at is None or subscription.next_close_at > until_at:
        return ()
    most = settings.CLOSE_MAX_PERIODS
    periods = periods_over(subscription, until_at, most=most + 1)
    if len(periods) > most:
        first = figures.day(subscription.open_from_at, subscription.workspace.tz)
        raise TooManyPeriods(
            f"More than {most} periods are due at once, the first from {first}. Close up to an earlier day first,"
            " or correct the start of the subscription."
        )
    return periods
