"""Line periods: the lines of subscriptions in the periods that are due or have changed, to be measured and rated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing import catalog, contracts
from billing.calendar import Coverage, Period
from billing.invoicing import Billed, billed_before, billed_rules
from billing.models import EventRule, InvoiceLine, Line, Subscription
from usage.closing.changed import changed_periods
from usage.closing.due import Due


@dataclass(frozen=True, slots=True)
class LinePeriod:
    """One line in one period, to be measured, rated and put on the draft with the index ``invoice``.

    ``covered``: the part of the ``period`` in which the line is active.
    """

    due: Due
    invoice: int
    line: Line
    kind: str
    period: Period
    covered: Period
    coverage: Coverage
    rule: EventRule | None
    billed_before: Decimal = Decimal(0)

    @property
    def is_true_up(self) -> bool:
        return self.kind == InvoiceLine.Kind.TRUE_UP

    @property
    def window(self) -> tuple[int, datetime]:
        """The line and the start of the measured window, the key of its invoice lines."""
        return self.line.pk, self.covered.starts_at


@dataclass(frozen=True, slots=True)
class _Rules:
    """Event rules: the current one per brick, and the one used per billed window."""

    current: dict[UUID, EventRule] = field(default_factory=dict)
    billed: dict[tuple[int, datetime], EventRule] = field(default_factory=dict)

    def of(self, line: Line, kind: str, starts_at: datetime) -> EventRule | None:
        if kind == InvoiceLine.Kind.TRUE_UP and (rule := self.billed.get((line.pk, starts_at))):
            return rule
        return self.current.get(line.brick_id)


def line_periods_of(dues: Sequence[Due], *, cutoff: int) -> list[LinePeriod]:
    """Return the line periods of dues as of a cutoff, in the order of the dues; a fixed number of queries.

    True-ups go to a subscription's first draft, or to a separate one if it has ended. Raises ``CalendarOutOfRange`` if
    a period is outside the calendar.
    """
    if not dues:
        return []
    own: dict[str, Any] = {
        "workspace_id": dues[0].subscription.workspace_id,
        "subscription_ids": [due.subscription.pk for due in dues],
    }
    changed = changed_periods(**own, cutoff=cutoff)
    rules = _rules(dues, changed)
    before = billed_before(**own) if changed else {}
    return [task for due in dues for task in (*_due_periods(due, rules), *_differences(due, changed, rules, before))]


def _rules(dues: Sequence[Due], changed: Mapping[int, Sequence[Period]]) -> _Rules:
    counting = [line for due in dues for line in due.counting_lines]
    if not counting:
        return _Rules()
    workspace_id = counting[0].workspace_id
    changed_lines = [line.pk for line in counting if line.pk in changed]
    return _Rules(
        current=catalog.current_rules(workspace_id=workspace_id, brick_ids=[line.brick_id for line in counting]),
        billed=billed_rules(workspace_id=workspace_id, line_ids=changed_lines) if changed_lines else {},
    )


def _due_periods(due: Due, rules: _Rules) -> Iterable[LinePeriod]:
    followed_at = contracts.followed_at(due.lines)
    for invoice, period in enumerate(due.periods):
        for line in due.lines:
            if covered := period.intersect(line.starts_at, line.ends_at):
                rule = rules.of(line, InvoiceLine.Kind.USAGE, covered.starts_at)
                days = _coverage(due.subscription, covered, followed_at.get(line.pk))
                yield LinePeriod(due, invoice, line, InvoiceLine.Kind.USAGE, period, covered, days, rule)


def _differences(
    due: Due,
    changed: Mapping[int, Sequence[Period]],
    rules: _Rules,
    before: Mapping[tuple[int, datetime], Billed],
) -> Iterable[LinePeriod]:
    if not due.bills_differences:
        return
    for line in due.lines:
        for period in changed.get(line.pk, ()):
            if covered := period.intersect(line.starts_at, line.ends_at):
                rule = rules.of(line, InvoiceLine.Kind.TRUE_UP, covered.starts_at)
                was = before[line.pk, covered.starts_at]
                # The billed days are used: only the usage has changed since.
                days = Coverage(days=was.days, of_days=was.of_days)
                yield LinePeriod(due, 0, line, InvoiceLine.Kind.TRUE_UP, period, covered, days, rule, was.amount)


def _coverage(subscription: Subscription, covered: Period, followed_at: datetime | None) -> Coverage:
    return contracts.coverage_of(subscription, covered, tz=subscription.workspace.tz, followed_at=followed_at)
