"""Query usage for display: by billing period, or by hour, day, week or month.

Quantities are those that closing would bill now: measured by the brick's aggregation up to the moment of the request.
Nothing is written. The ledger is read with one query per aggregation or event rule, whatever the number of lines,
periods and buckets.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.conf import settings

from billing import catalog, contracts
from billing.aggregations import Combine
from billing.calendar import Interval, Period, midnight
from billing.models import EventRule, Line, Subscription, Workspace
from usage.ledger import LineNotFound, LineNotMetered
from usage.metering import CUTOFF_OF_NOW, NOTHING, Measurement, Window, measure

_MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)
_LONGEST_DAYS = {Interval.MONTHLY: 31, Interval.QUARTERLY: 92, Interval.YEARLY: 366}


class BucketSize(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class SpanRefused(ValueError):
    """The span is empty or has too many buckets or periods. ``field`` names the invalid argument."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PeriodUsage:
    """The usage of a brick's lines in a period, with the last line that was active in it.

    ``unread_count``: of the events counted, the number of those that could not be read.
    """

    period: Period
    line: Line
    quantity: Decimal
    unread_count: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A whole hour, day, week or month of the workspace's calendar, with the usage in the requested part of it.

    ``unread_count``: of the events counted, the number of those that could not be read.
    """

    period: Period
    quantity: Decimal
    unread_count: int = 0


def lines_of_brick(*, workspace: Workspace, subscription_id: uuid.UUID, brick_id: uuid.UUID) -> list[Line]:
    """Return a metered brick's lines in a subscription, the earliest first: several if its price was changed.

    Raises ``LineNotFound`` and ``LineNotMetered``.
    """
    lines = list(
        Line.objects.filter(workspace=workspace, subscription_id=subscription_id, brick_id=brick_id)
        .select_related("subscription__workspace", "brick", "price")
        .order_by("starts_at")
    )
    if not lines:
        raise LineNotFound("Unknown subscription or brick.")
    if not lines[0].brick.is_metered:
        raise LineNotMetered("This line is not metered: it takes no usage.")
    return lines


def used(*, spans: Sequence[tuple[Line, Period]], as_of: datetime) -> list[Measurement]:
    """Return the measurement of each line in its span, in their order, without usage that occurred from ``as_of`` on.

    Events are counted by the brick's current rule. The lines are of one workspace, with their bricks and subscriptions
    loaded.
    """
    return _used(spans, as_of, _current_rules([line for line, _ in spans]))


def _current_rules(lines: Sequence[Line]) -> dict[uuid.UUID, EventRule]:
    counting = {line.brick_id for line in lines if line.brick.metering.takes_events}
    return catalog.current_rules(workspace_id=lines[0].workspace_id, brick_ids=counting) if counting else {}


def _used(
    spans: Sequence[tuple[Line, Period]], as_of: datetime, rules: Mapping[uuid.UUID, EventRule]
) -> list[Measurement]:
    windows = [_window(line, span, as_of, rules.get(line.brick_id)) for line, span in spans]
    measured = iter(measure([window for window in windows if window is not None]))
    return [NOTHING if window is None else next(measured) for window in windows]


def used_by_period(
    *,
    lines: Sequence[Line],
    as_of: datetime,
    starts_from: datetime | None = None,
    ends_by: datetime | None = None,
) -> list[PeriodUsage]:
    """Return the usage of a brick's lines in each period of their subscription that has begun, in order.

    Periods that start before ``starts_from`` or end after ``ends_by`` are left out. Raises ``SpanRefused`` if more than
    ``USAGE_PERIODS`` remain.
    """
    subscription = lines[0].subscription
    begins_at, until = max(subscription.starts_at, starts_from or subscription.starts_at), min(as_of, ends_by or as_of)
    # Refuse before the periods are computed one by one: none is longer than its months with 31 days each.
    if (until - begins_at).days > settings.USAGE_PERIODS * _LONGEST_DAYS[Interval(subscription.interval)]:
        raise _too_many_periods()
    periods = [
        period
        for period in _periods_begun(subscription, as_of)
        if (starts_from is None or starts_from <= period.starts_at) and (ends_by is None or period.ends_at <= ends_by)
    ]
    if len(periods) > settings.USAGE_PERIODS:
        raise _too_many_periods()
    return _used_in(periods, lines, as_of)


def _too_many_periods() -> SpanRefused:
    return SpanRefused("starts_at", f"At most {settings.USAGE_PERIODS} periods: request a shorter time.")


def used_in_current_period(*, lines: Sequence[Line], as_of: datetime) -> PeriodUsage | None:
    """Return the usage of a brick's lines in the running period; None without such a period or a line active in it."""
    period = contracts.period_around(lines[0].subscription, as_of)
    found = _used_in([period] if period else [], lines, as_of)
    return found[0] if found else None


def used_by_bucket(
    *,
    lines: Sequence[Line],
    size: BucketSize,
    as_of: datetime,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> list[Bucket]:
    """Return the usage of a brick's lines in ``[starts_at, ends_at)`` by bucket, in order and without a gap.

    The span defaults to the running period until now, and to the last period of a subscription that has ended. Buckets
    are whole ones of the workspace's calendar; the first and the last count only usage within the span. Raises
    ``SpanRefused``.
    """
    subscription = lines[0].subscription
    begins_at, stops_at = _latest(subscription, as_of)
    begins_at, stops_at = starts_at or begins_at, ends_at or stops_at
    if begins_at >= stops_at:
        if starts_at is None and ends_at is None:
            return []
        raise SpanRefused("ends_at" if ends_at else "starts_at", "The end must be after the start.")
    asked = Period(begins_at, stops_at)
    periods = _buckets(asked, size, subscription.workspace.tz)
    parts = [part for period in periods if (part := period.intersect(asked.starts_at, asked.ends_at))]
    totals = _totals(parts, lines, as_of)
    return [Bucket(period, *total) for period, total in zip(periods, totals, strict=True)]


def _latest(subscription: Subscription, as_of: datetime) -> tuple[datetime, datetime]:
    """Return the start of the running or last period, and the moment until which usage can occur in it."""
    until, moment = as_of, as_of
    if subscription.ends_at is not None and subscription.ends_at <= as_of:
        until, moment = subscription.ends_at, subscription.ends_at - _MICROSECOND
    period = contracts.period_around(subscription, moment)
    return (period.starts_at if period else subscription.starts_at), until


def _used_in(periods: Sequence[Period], lines: Sequence[Line], as_of: datetime) -> list[PeriodUsage]:
    totals = _totals(periods, lines, as_of)
    return [
        PeriodUsage(period, active[-1], *total)
        for period, total in zip(periods, totals, strict=True)
        if (active := [line for line in lines if period.intersect(line.starts_at, line.ends_at)])
    ]


def _totals(spans: Sequence[Period], lines: Sequence[Line], as_of: datetime) -> list[tuple[Decimal, int]]:
    """Return per span the combined quantity of a brick's lines and the number of their unread events."""
    rules = _current_rules(lines)
    measured = iter(_used([(line, span) for span in spans for line in lines], as_of, rules))
    of_spans = [[next(measured) for _ in lines] for _ in spans]
    combine = _combination(lines[0], rules)
    return [
        (combine([each.quantity for each in of_span]), sum(each.unread.count for each in of_span))
        for of_span in of_spans
    ]


def _combination(line: Line, rules: Mapping[uuid.UUID, EventRule]) -> Combine:
    """Return the function that combines the quantities of a brick's lines, by its rule if it counts events."""
    rule = rules.get(line.brick_id)
    return line.brick.metering.combine if rule is None else rule.counting.combine


def _window(line: Line, span: Period, as_of: datetime, rule: EventRule | None) -> Window | None:
    covered = span.intersect(line.starts_at, as_of if line.ends_at is None else min(as_of, line.ends_at))
    if covered is None:
        return None
    whose = line.subscription.customer_id
    return Window.of(line, covered.starts_at, covered.ends_at, cutoff=CUTOFF_OF_NOW, customer_id=whose, rule=rule)


def _periods_begun(subscription: Subscription, as_of: datetime) -> list[Period]:
    over = contracts.periods_from(subscription, subscription.starts_at, until=as_of)
    running = contracts.period_around(subscription, as_of)
    return [*over, running] if running else [*over]


def _buckets(asked: Period, size: BucketSize, tz: ZoneInfo) -> list[Period]:
    """Return the buckets that the span touches; raise ``SpanRefused``."""
    found: list[Period] = []
    for starts_at, ends_at in pairwise(_boundaries(asked.starts_at.astimezone(tz).date(), size, tz)):
        if starts_at >= asked.ends_at:
            break
        # A day that the zone skipped to cross the date line starts when the next day starts.
        if asked.starts_at < ends_at and starts_at < ends_at:
            found.append(Period(starts_at, ends_at))
        most = settings.USAGE_BUCKETS
        if len(found) > most:
            raise SpanRefused("size", f"At most {most} buckets: request longer ones or a shorter time.")
    return found


def _boundaries(day: date, size: BucketSize, tz: ZoneInfo) -> Iterator[datetime]:
    """Yield the starts of buckets from the one that contains the day. Weeks start on Mondays, hours at midnight."""
    if size == BucketSize.WEEK:
        day -= timedelta(days=day.weekday())
    elif size == BucketSize.MONTH:
        day = day.replace(day=1)
    while True:
        moment, day = midnight(day, tz=tz), _next_day(day, size)
        yield moment
        if size == BucketSize.HOUR:
            while (moment := moment + _HOUR) < midnight(day, tz=tz):
                yield moment


def _next_day(day: date, size: BucketSize) -> date:
    if size == BucketSize.MONTH:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if size == BucketSize.WEEK else 1)
