"""From contracts and the ledger to draft invoices, as values: closing writes them, preview shows them.

To be billed = rate(usage of the period, as of the cutoff) - what has been billed for that line and period. For a due
period that is its whole price; for an earlier period whose records changed, the difference, a true-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Any
from uuid import UUID

from billing import catalog
from billing.calendar import CalendarOutOfRange, Coverage, Interval, Period, coverage, full_period_at
from billing.invoicing import Billed, DraftInvoice, DraftLine, billed, billed_rules
from billing.models import Brick, EventRule, InvoiceLine, Line, Price, Subscription
from billing.rating import Terms, TermsError, rate
from usage.ahead import named_ahead
from usage.changed import changed_periods
from usage.metering import Measurement, RuleTooLarge, Window, measure
from usage.unread import filter_notice, unread_notice

DATED_AHEAD = "has usage that is dated in the future, which no period counts yet"
OPENS_AT_ZERO = "opens at 0: the value of the line before it is not carried on"


class IncompletePrice(TermsError):
    """Of a price, which is named, no charge can be computed."""

    def __init__(self, price: Price, error: TermsError) -> None:
        super().__init__(error.field, error.problem)
        self.args = (f"The price “{price}” is incomplete: {error}",)


# Why a subscription can't be drafted as it stands, each told in words for people: no fault of the program.
REFUSALS = (IncompletePrice, CalendarOutOfRange, RuleTooLarge)


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription with its lines and the open periods to bill, in order; loaded and locked by the caller."""

    subscription: Subscription
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]

    @property
    def counting_lines(self) -> list[Line]:
        """The lines that count events of the customer, where others count records of their own."""
        return [line for line in self.lines if line.brick.aggregation == Brick.Aggregation.EVENTS]

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
    rule: EventRule | None
    billed_before: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Rules:
    """By what events are counted: a brick's current rule, and what was billed by the rule that it was billed by."""

    current: dict[UUID, EventRule] = field(default_factory=dict)
    billed: dict[tuple[int, datetime], EventRule] = field(default_factory=dict)

    def of(self, line: Line, kind: str, starts_at: datetime) -> EventRule | None:
        if kind == InvoiceLine.Kind.TRUE_UP and (rule := self.billed.get((line.pk, starts_at))):
            return rule
        return self.current.get(line.brick_id)


def draft(
    *, dues: Sequence[Due], cutoff: int, measured_until: datetime | None = None, as_of: datetime | None = None
) -> list[DraftInvoice]:
    """Compute the drafts of many subscriptions, of one or several periods each, with a fixed number of queries.

    ``as_of``: lines that have usage dated in the future, as of then, are noted for the reviewer. The subscriptions are
    of one workspace.
    ``measured_until`` leaves out usage from that moment on: for a period that is still running. The true-ups go to a
    subscription's first draft, or to one of their own where it has ended. Raises one of ``REFUSALS``.
    """
    subscription_ids = [due.subscription.pk for due in dues]
    changed = changed_periods(subscription_ids=subscription_ids, cutoff=cutoff)
    rules = _rules(dues, changed)
    before = billed(subscription_ids=subscription_ids) if changed else {}
    tasks = [task for due in dues for task in _tasks(due, changed, rules, before)]
    measurements = measure([_window(task, cutoff, measured_until) for task in tasks])
    noted = _Noted(_ahead(dues, as_of) if as_of and dues else set())
    terms: dict[int, Terms] = {}
    lines: dict[tuple[Any, int], list[DraftLine]] = defaultdict(list)
    for task, measurement in zip(tasks, measurements, strict=True):
        line = _draft_line(task, measurement, cutoff=cutoff, terms=terms, noted=noted)
        if task.kind == InvoiceLine.Kind.USAGE or line.amount:
            lines[task.due.subscription.pk, task.invoice].append(line)
    return [invoice for due in dues for invoice in _invoices(due, lines, cutoff)]


def _rules(dues: Sequence[Due], changed: dict[int, list[Period]]) -> _Rules:
    counting = [line for due in dues for line in due.counting_lines]
    if not counting:
        return _Rules()
    changed_lines = [line.pk for line in counting if line.pk in changed]
    return _Rules(
        current=catalog.current_rules(brick_ids=[line.brick_id for line in counting]),
        billed=billed_rules(line_ids=changed_lines) if changed_lines else {},
    )


def _tasks(
    due: Due, changed: dict[int, list[Period]], rules: _Rules, before: dict[tuple[int, datetime], Billed]
) -> Iterable[_Task]:
    followed_at = _followed_at(due.lines)
    for invoice, period in enumerate(due.periods):
        for line in due.lines:
            if covered := period.intersect(line.starts_at, line.ends_at):
                rule = rules.of(line, InvoiceLine.Kind.USAGE, covered.starts_at)
                days = _coverage(due.subscription, covered, followed_at.get(line.pk))
                yield _Task(due, invoice, line, InvoiceLine.Kind.USAGE, covered, days, rule)
    if due.bills_differences:
        for line in due.lines:
            for period in changed.get(line.pk, ()):
                if covered := period.intersect(line.starts_at, line.ends_at):
                    rule = rules.of(line, InvoiceLine.Kind.TRUE_UP, covered.starts_at)
                    was = before[line.pk, covered.starts_at]
                    # The days are those that were billed: what has changed since is the usage alone.
                    days = Coverage(days=was.days, of_days=was.of_days)
                    yield _Task(due, 0, line, InvoiceLine.Kind.TRUE_UP, covered, days, rule, was.amount)


def _followed_at(lines: Sequence[Line]) -> dict[int, datetime]:
    """Return, per line that another one of its brick follows, when that one begins."""
    of_brick: dict[UUID, list[Line]] = defaultdict(list)
    for line in lines:
        if not line.is_voided:
            of_brick[line.brick_id].append(line)
    return {
        former.pk: later.starts_at
        for several in of_brick.values()
        if len(several) > 1
        for former, later in pairwise(sorted(several, key=attrgetter("starts_at")))
    }


def _coverage(subscription: Subscription, covered: Period, followed_at: datetime | None) -> Coverage:
    tz = subscription.workspace.tz
    full = full_period_at(
        covered.starts_at, anchor_on=subscription.anchor_on, interval=Interval(subscription.interval), tz=tz
    )
    return coverage(covered=covered, full=full, tz=tz, followed_at=followed_at)


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
        customer_id=task.due.subscription.customer_id,
        rule=task.rule,
    )


def _draft_line(
    task: _Task, measurement: Measurement, *, cutoff: int, terms: dict[int, Terms], noted: "_Noted"
) -> DraftLine:
    line = task.line
    if line.price_id not in terms:
        terms[line.price_id] = _terms_of(line.price)
    return DraftLine(
        line_id=line.pk,
        price_id=line.price_id,
        rule_id=None if task.rule is None else task.rule.pk,
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
        billed_before=task.billed_before,
        notices=tuple(_notices(task, measurement, noted)),
        unread_count=measurement.unread.count,
        missing_count=measurement.unread.missing,
        unread_sample=measurement.unread.as_list(),
        filter_gaps=measurement.filter_gaps,
    )


def _terms_of(price: Price) -> Terms:
    try:
        return price.terms()
    except TermsError as error:
        raise IncompletePrice(price, error) from error


@dataclass(slots=True)
class _Noted:
    """Whose usage is dated in the future, and what a reviewer has been told of a whole invoice."""

    ahead: set[Sequence[object]]
    told: set[Sequence[object]] = field(default_factory=set)


def _ahead(dues: Sequence[Due], as_of: datetime) -> set[Sequence[object]]:
    return named_ahead(workspace_id=dues[0].subscription.workspace_id, as_of=as_of)


def _notices(task: _Task, measurement: Measurement, noted: _Noted) -> Iterable[str]:
    """Yield what a reviewer should look at that rating can't see."""
    if task.kind == InvoiceLine.Kind.USAGE and _opens_at_zero(task):
        yield OPENS_AT_ZERO
    if task.kind == InvoiceLine.Kind.USAGE and task.invoice == 0 and _whose(task) in noted.ahead:
        yield DATED_AHEAD
    if task.rule is None:
        return
    style = task.due.subscription.workspace.formats.numbers
    for name, events in measurement.filter_gaps.items():
        if events and _is_news(task, name, noted):
            yield filter_notice(task.rule.event_type, name, events, style, is_negated=name in task.rule.negated)
    if measurement.unread.count and (not measurement.is_missing_everywhere or _is_news(task, None, noted)):
        yield unread_notice(task.rule, measurement, style)


def _is_news(task: _Task, name: str | None, noted: _Noted) -> bool:
    """Tell whether a gap of the rule was not told before: two lines of a brick have the same to tell, once an invoice.

    ``name``: of the property that is filtered by, or None for the one that is added or told apart.
    """
    about = (task.due.subscription.pk, task.invoice, task.rule and task.rule.pk, name)
    is_news = about not in noted.told
    noted.told.add(about)
    return is_news


def _whose(task: _Task) -> Sequence[object]:
    """Return whose usage a line counts: its own, or the customer's events of a type."""
    if task.rule is None:
        return (task.line.pk,)
    return (task.due.subscription.customer_id, task.rule.event_type)


def _opens_at_zero(task: _Task) -> bool:
    """Tell whether a gauge that another line of its brick came before begins here, and anew."""
    line = task.line
    if line.carries_on or line.brick.aggregation != Brick.Aggregation.UNIT_DAYS:
        return False
    return task.covered.starts_at == line.starts_at and any(
        other.brick_id == line.brick_id and other.starts_at < line.starts_at and not other.is_voided
        for other in task.due.lines
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
