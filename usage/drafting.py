"""From contracts and the ledger to draft invoices, as values: closing writes them, preview shows them.

To be billed = rate(usage of the period, as of the cutoff) - what has been billed for that line and period. For a due
period that is its whole price; for an earlier period whose records changed, the difference, a true-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from billing import bulk
from billing.calendar import Coverage, Interval, Period, coverage, full_period_at
from billing.invoicing import DraftInvoice, DraftLine, billed_amounts
from billing.models import InvoiceLine, Line, Subscription
from billing.rating import Terms, rate
from usage.metering import Measurement, Window, measure


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription with its lines and the open periods to bill, in order; loaded and locked by the caller."""

    subscription: Subscription
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]

    @property
    def bills_differences(self) -> bool:
        """Differences wait for the next due period; an ended subscription has none, and bills them at any time."""
        return bool(self.periods) or self.subscription.next_close_at is None


@dataclass(frozen=True, slots=True)
class _Task:
    """One line in one period: to be measured, rated and put on the subscription's ``invoice``-th draft."""

    due: Due
    invoice: int
    line: Line
    kind: str
    covered: Period
    coverage: Coverage


def draft(*, dues: Sequence[Due], cutoff: int, measured_until: datetime | None = None) -> list[DraftInvoice]:
    """Compute the drafts of many subscriptions, of one or several periods each, with a fixed number of queries.

    ``measured_until`` leaves out usage from that moment on: for a period that is still running. The true-ups go to a
    subscription's first draft, or to one of their own where it has ended. Raises ``TermsError`` on an incomplete price
    and ``CalendarOutOfRange`` on a period that no calendar has.
    """
    subscription_ids = [due.subscription.pk for due in dues]
    changed = changed_periods(subscription_ids=subscription_ids, cutoff=cutoff)
    tasks = [task for due in dues for task in _tasks(due, changed)]
    measurements = measure([_window(task, cutoff, measured_until) for task in tasks])
    billed = billed_amounts(subscription_ids=subscription_ids) if changed else {}
    terms: dict[int, Terms] = {}
    lines: dict[tuple[Any, int], list[DraftLine]] = defaultdict(list)
    for task, measurement in zip(tasks, measurements, strict=True):
        before = (
            billed.get((task.line.pk, task.covered.starts_at), Decimal(0)) if task.kind == "true_up" else Decimal(0)
        )
        line = _draft_line(task, measurement, cutoff=cutoff, billed_before=before, terms=terms)
        if task.kind == InvoiceLine.Kind.USAGE or line.amount:
            lines[task.due.subscription.pk, task.invoice].append(line)
    return [invoice for due in dues for invoice in _invoices(due, lines, cutoff)]


def _tasks(due: Due, changed: dict[int, list[Period]]) -> Iterable[_Task]:
    subscription = due.subscription
    tz = subscription.workspace.tz
    for invoice, period in enumerate(due.periods):
        for line in due.lines:
            if covered := period.intersect(line.starts_at, line.ends_at):
                yield _task(due, invoice, line, InvoiceLine.Kind.USAGE, covered, tz)
    if due.bills_differences:
        for line in due.lines:
            for period in changed.get(line.pk, ()):
                if covered := period.intersect(line.starts_at, line.ends_at):
                    yield _task(due, 0, line, InvoiceLine.Kind.TRUE_UP, covered, tz)


def _task(due: Due, invoice: int, line: Line, kind: str, covered: Period, tz: ZoneInfo) -> _Task:
    subscription = due.subscription
    full = full_period_at(
        covered.starts_at, anchor_on=subscription.anchor_on, interval=Interval(subscription.interval), tz=tz
    )
    return _Task(due, invoice, line, kind, covered, coverage(covered=covered, full=full, tz=tz))


def _window(task: _Task, cutoff: int, measured_until: datetime | None) -> Window:
    ends_at = task.covered.ends_at
    if measured_until is not None and task.kind == InvoiceLine.Kind.USAGE:
        ends_at = max(task.covered.starts_at, min(ends_at, measured_until))
    return Window(
        aggregation=task.line.brick.aggregation,
        line_id=task.line.pk,
        starts_at=task.covered.starts_at,
        ends_at=ends_at,
        cutoff=cutoff,
    )


def _draft_line(
    task: _Task, measurement: Measurement, *, cutoff: int, billed_before: Decimal, terms: dict[int, Terms]
) -> DraftLine:
    line = task.line
    if line.price_id not in terms:
        terms[line.price_id] = line.price.terms()
    return DraftLine(
        line_id=line.pk,
        price_id=line.price_id,
        kind=task.kind,
        description=line.brick.name,
        period=task.covered,
        days=task.coverage.days,
        of_days=task.coverage.of_days,
        cutoff=cutoff,
        quantity=measurement.quantity,
        record_count=measurement.record_count,
        charge=rate(
            terms=terms[line.price_id],
            quantity=measurement.quantity,
            coverage=None if task.coverage.is_whole else task.coverage,
        ),
        billed_before=billed_before,
    )


def _invoices(due: Due, lines: dict[tuple[Any, int], list[DraftLine]], cutoff: int) -> Iterable[DraftInvoice]:
    subscription = due.subscription
    for invoice, period in enumerate(due.periods):
        yield _invoice(due, period, lines.get((subscription.pk, invoice), []), cutoff, closes=True)
    if not due.periods and (differences := lines.get((subscription.pk, 0))):
        whole = Period(
            min(line.period.starts_at for line in differences),
            max(line.period.ends_at for line in differences),
        )
        yield _invoice(due, whole, differences, cutoff, closes=False)


def _invoice(due: Due, period: Period, lines: list[DraftLine], cutoff: int, *, closes: bool) -> DraftInvoice:
    return DraftInvoice(
        subscription_id=due.subscription.pk,
        customer_id=due.subscription.customer_id,
        currency=due.subscription.currency,
        period=period,
        closes=closes,
        cutoff=cutoff,
        lines=tuple(lines),
    )


# A change falls in the period of the record that came late and in that of the record it superseded; under a gauge it
# also reaches into every later period. All those are measured anew: where nothing came of it, the difference is zero.
_CHANGED_PERIODS = """
WITH late AS (
    SELECT l.id AS line_id, l.subscription_id, l.brick_id, r.id, r.occurred_at
    FROM billing_line l JOIN usage_usagerecord r
        ON r.workspace_id = l.workspace_id AND r.line_id = l.id AND r.is_late AND r.id > l.cutoff AND r.id <= %s
    WHERE l.subscription_id {among}
),
moments AS (
    SELECT line_id, subscription_id, brick_id, occurred_at FROM late
    UNION
    SELECT late.line_id, late.subscription_id, late.brick_id, former.occurred_at
    FROM late JOIN usage_usagerecord former ON former.superseded_by_id = late.id
)
SELECT DISTINCT m.line_id, p.starts_at, p.ends_at
FROM moments m JOIN billing_brick b ON b.id = m.brick_id
    JOIN billing_billingperiod p ON p.subscription_id = m.subscription_id AND p.ends_at > m.occurred_at
        AND (p.starts_at <= m.occurred_at OR b.aggregation = 'unit_days')
ORDER BY m.line_id, p.starts_at
"""


def changed_periods(*, subscription_ids: Sequence[UUID], cutoff: int) -> dict[int, list[Period]]:
    """Return per line the closed periods whose records have changed since the line's last cutoff; one query."""
    found: dict[int, list[Period]] = defaultdict(list)
    if subscription_ids:
        among, ids = bulk.among(subscription_ids)
        with connection.cursor() as cursor:
            cursor.execute(_CHANGED_PERIODS.format(among=among), [cutoff, *ids])
            for line_id, starts_at, ends_at in cursor.fetchall():
                found[line_id].append(Period(_moment(starts_at), _moment(ends_at)))
    return found


def _moment(value: datetime) -> datetime:
    # Without a model field around, SQLite's moments come without their time zone.
    return value if value.tzinfo else value.replace(tzinfo=UTC)
