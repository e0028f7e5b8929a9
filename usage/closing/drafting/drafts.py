"""Compute drafts from dues: measure and rate line periods, add notices, and combine them into invoices."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.calendar import Period
from billing.invoicing import DraftInvoice, DraftLine, last_told
from billing.rating import Charge, Terms, rate
from usage.closing.drafting.line_periods import LinePeriod, line_periods_of
from usage.closing.drafting.notices import Noted, noted, notices_of, tells_news
from usage.closing.drafting.refusals import terms_of
from usage.closing.due import Due
from usage.metering import Measurement, Window, measure


@dataclass(frozen=True, slots=True)
class _Rated:
    """A line period with its measurement and charge."""

    line_period: LinePeriod
    measurement: Measurement
    charge: Charge

    @property
    def is_zero(self) -> bool:
        """Tell whether it is a true-up of zero, which becomes a line only if it has a new notice."""
        return self.line_period.is_true_up and self.charge.amount == self.line_period.billed_before


def draft(
    *, dues: Sequence[Due], cutoff: int, measured_until: datetime | None = None, as_of: datetime | None = None
) -> list[DraftInvoice]:
    """Compute the drafts of many subscriptions of one workspace, with a fixed number of queries. Writes nothing.

    ``measured_until`` excludes usage from that moment on: for a period that is still running. ``as_of``: lines that
    have usage dated after it get a notice; None for no such notices.
    True-ups go to a subscription's first draft, or to a separate one if it has ended; a true-up of zero becomes a line
    only if it has a new notice. Raises one of ``REFUSALS``.
    """
    line_periods = line_periods_of(dues, cutoff=cutoff)
    measurements = measure([_window(line_period, cutoff, measured_until) for line_period in line_periods])
    rated = _without_untold_zeros(_rated(line_periods, measurements))
    so_far = noted(dues, as_of)
    lines: dict[tuple[Any, int], list[DraftLine]] = defaultdict(list)
    for each in rated:
        lines[each.line_period.due.subscription.pk, each.line_period.invoice].append(_draft_line(each, cutoff, so_far))
    return [invoice for due in dues for invoice in _invoices(due, lines, cutoff)]


def _window(line_period: LinePeriod, cutoff: int, measured_until: datetime | None) -> Window:
    ends_at = line_period.covered.ends_at
    if measured_until is not None and not line_period.is_true_up:
        ends_at = max(line_period.covered.starts_at, min(ends_at, measured_until))
    return Window.of(
        line_period.line,
        line_period.covered.starts_at,
        ends_at,
        cutoff=cutoff,
        customer_id=line_period.due.subscription.customer_id,
        rule=line_period.rule,
    )


def _rated(line_periods: Sequence[LinePeriod], measurements: Sequence[Measurement]) -> list[_Rated]:
    terms: dict[int, Terms] = {}
    found = []
    for line_period, measurement in zip(line_periods, measurements, strict=True):
        price_id = line_period.line.price_id
        if price_id not in terms:
            terms[price_id] = terms_of(line_period.line.price)
        charge = rate(terms=terms[price_id], quantity=measurement.quantity, coverage=line_period.coverage)
        found.append(_Rated(line_period, measurement, charge))
    return found


def _without_untold_zeros(rated: Sequence[_Rated]) -> list[_Rated]:
    """Remove the true-ups of zero without a new notice; one query if there are any true-ups of zero."""
    of_zero = [each.line_period for each in rated if each.is_zero]
    if not of_zero:
        return list(rated)
    workspace_id = of_zero[0].due.subscription.workspace_id
    former = last_told(workspace_id=workspace_id, windows=[line_period.window for line_period in of_zero])
    return [
        each
        for each in rated
        if not each.is_zero or tells_news(each.line_period, each.measurement, each.charge, former)
    ]


def _draft_line(each: _Rated, cutoff: int, so_far: Noted) -> DraftLine:
    line_period, measurement = each.line_period, each.measurement
    return DraftLine(
        line_id=line_period.line.pk,
        price_id=line_period.line.price_id,
        rule_id=None if line_period.rule is None else line_period.rule.pk,
        kind=line_period.kind,
        description=line_period.line.brick.name,
        period=line_period.covered,
        days=line_period.coverage.days,
        of_days=line_period.coverage.of_days,
        cutoff=cutoff,
        quantity=measurement.quantity,
        record_count=measurement.record_count,
        charge=each.charge,
        billed_before=line_period.billed_before,
        notices=tuple(notices_of(line_period, measurement, so_far)),
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
