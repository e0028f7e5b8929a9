"""From contracts and the ledger to draft invoices: what is asked is measured, rated, noted and put together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.calendar import Period
from billing.invoicing.invoicing import DraftInvoice, DraftLine, last_told
from billing.rating import Charge, Terms, rate
from usage.closing.drafting.asked import Due, Task, tasks_of
from usage.closing.drafting.notices import Noted, noted, notices_of, tells_news
from usage.closing.drafting.refusals import terms_of
from usage.metering import Measurement, Window, measure


@dataclass(frozen=True, slots=True)
class _Rated:
    """What was asked, what was measured of it, and what that costs."""

    task: Task
    measurement: Measurement
    charge: Charge

    @property
    def is_of_nothing(self) -> bool:
        """A difference that changes no amount: only what it tells can make it a line."""
        return self.task.is_true_up and self.charge.amount == self.task.billed_before


def draft(
    *, dues: Sequence[Due], cutoff: int, measured_until: datetime | None = None, as_of: datetime | None = None
) -> list[DraftInvoice]:
    """Compute the drafts of many subscriptions, of one or several periods each, with a fixed number of queries.

    ``as_of``: lines that have usage dated in the future, as of then, are noted for the reviewer. The subscriptions are
    of one workspace.
    ``measured_until`` leaves out usage from that moment on: for a period that is still running. The true-ups go to a
    subscription's first draft, or to one of their own where it has ended; one of nothing is a line only where it tells
    a reviewer something new. Raises one of ``REFUSALS``.
    """
    tasks = tasks_of(dues, cutoff=cutoff)
    measurements = measure([_window(task, cutoff, measured_until) for task in tasks])
    rated = _without_what_tells_nothing(_rated(tasks, measurements))
    so_far = noted(dues, as_of)
    lines: dict[tuple[Any, int], list[DraftLine]] = defaultdict(list)
    for each in rated:
        lines[each.task.due.subscription.pk, each.task.invoice].append(_draft_line(each, cutoff, so_far))
    return [invoice for due in dues for invoice in _invoices(due, lines, cutoff)]


def _window(task: Task, cutoff: int, measured_until: datetime | None) -> Window:
    ends_at = task.covered.ends_at
    if measured_until is not None and not task.is_true_up:
        ends_at = max(task.covered.starts_at, min(ends_at, measured_until))
    return Window(
        workspace_id=task.line.workspace_id,
        aggregation=task.line.brick.aggregation,
        line_id=task.line.pk,
        starts_at=task.covered.starts_at,
        ends_at=ends_at,
        cutoff=cutoff,
        customer_id=task.due.subscription.customer_id,
        rule=task.rule,
    )


def _rated(tasks: Sequence[Task], measurements: Sequence[Measurement]) -> list[_Rated]:
    terms: dict[int, Terms] = {}
    found = []
    for task, measurement in zip(tasks, measurements, strict=True):
        price_id = task.line.price_id
        if price_id not in terms:
            terms[price_id] = terms_of(task.line.price)
        coverage = None if task.coverage.is_whole else task.coverage
        charge = rate(terms=terms[price_id], quantity=measurement.quantity, coverage=coverage)
        found.append(_Rated(task, measurement, charge))
    return found


def _without_what_tells_nothing(rated: Sequence[_Rated]) -> list[_Rated]:
    """Leave out the differences of nothing from which a reviewer learns nothing new; one query, where there are any."""
    of_nothing = [each.task for each in rated if each.is_of_nothing]
    if not of_nothing:
        return list(rated)
    workspace_id = of_nothing[0].due.subscription.workspace_id
    told = last_told(workspace_id=workspace_id, windows=[task.window for task in of_nothing])
    return [
        each for each in rated if not each.is_of_nothing or tells_news(each.task, each.measurement, each.charge, told)
    ]


def _draft_line(each: _Rated, cutoff: int, so_far: Noted) -> DraftLine:
    task, measurement = each.task, each.measurement
    return DraftLine(
        line_id=task.line.pk,
        price_id=task.line.price_id,
        rule_id=None if task.rule is None else task.rule.pk,
        kind=task.kind,
        description=task.line.brick.name,
        period=task.covered,
        days=task.coverage.days,
        of_days=task.coverage.of_days,
        cutoff=cutoff,
        quantity=measurement.quantity,
        record_count=measurement.record_count,
        charge=each.charge,
        billed_before=task.billed_before,
        notices=tuple(notices_of(task, measurement, so_far)),
        unread_count=measurement.unread.count,
        missing_count=measurement.unread.missing,
        unread_sample=measurement.unread.as_list(),
        filter_gaps=measurement.filter_gaps,
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
