"""What a reviewer should look at: what is said of a line, and which differences of nothing are kept to say it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from billing.invoicing.invoicing import Told
from billing.rating import Charge
from usage.ahead import owners_dated_ahead
from usage.closing.drafting.asked import Due, Task
from usage.closing.unread import filter_notice, unread_notice
from usage.metering import Measurement

DATED_AHEAD = "has usage that is dated in the future, which no period counts yet"
OPENS_AT_ZERO = "opens at 0: the value of the line before it is not carried on"


@dataclass(slots=True)
class Noted:
    """Whose usage is dated in the future, and what a reviewer has been told of a whole invoice."""

    ahead: set[Sequence[object]]
    told: set[Sequence[object]] = field(default_factory=set)


def noted(dues: Sequence[Due], as_of: datetime | None) -> Noted:
    """Return what is noted before any line is; ``as_of``: of when usage is dated in the future, None for no matter."""
    if as_of is None or not dues:
        return Noted(set())
    return Noted(owners_dated_ahead(workspace_id=dues[0].subscription.workspace_id, as_of=as_of))


def tells_news(task: Task, measurement: Measurement, charge: Charge, told: Mapping[tuple[int, datetime], Told]) -> bool:
    """Tell whether a reviewer learns from a true-up of nothing what invoices of its line and period did not say.

    That is an event that can't be read and came since they were counted, a property that no event has, or of more
    events, and what rating wonders at. ``told``: what was said last, per line and start of the measured window.
    """
    if measurement.unread.newest > task.line.cutoff:
        return True
    before = told.get(task.window) or Told()
    if any(events > before.filter_gaps.get(name, 0) for name, events in measurement.filter_gaps.items()):
        return True
    return bool(charge.surprise) and charge.surprise != before.surprise


def notices_of(task: Task, measurement: Measurement, noted: Noted) -> Iterable[str]:
    """Yield what a reviewer should look at that rating can't see."""
    if not task.is_true_up and _opens_at_zero(task):
        yield OPENS_AT_ZERO
    if not task.is_true_up and task.invoice == 0 and _whose(task) in noted.ahead:
        yield DATED_AHEAD
    if task.rule is None:
        return
    style = task.due.subscription.workspace.formats.numbers
    for name, events in measurement.filter_gaps.items():
        if events and _is_first(task, name, noted):
            yield filter_notice(task.rule.event_type, name, events, style, is_negated=name in task.rule.negated)
    if measurement.unread.count and (not measurement.is_missing_everywhere or _is_first(task, None, noted)):
        yield unread_notice(task.rule, measurement, style)


def _is_first(task: Task, name: str | None, noted: Noted) -> bool:
    """Tell whether a gap of the rule was not told before: two lines of a brick have the same to tell of a period.

    ``name``: of the property that is filtered by, or None for the one that is added or told apart.
    """
    about = (task.due.subscription.pk, task.period.starts_at, task.rule and task.rule.pk, name)
    is_first = about not in noted.told
    noted.told.add(about)
    return is_first


def _whose(task: Task) -> Sequence[object]:
    """Return whose usage a line counts: its own, or the customer's events of a type."""
    if task.rule is None:
        return (task.line.pk,)
    return (task.due.subscription.customer_id, task.rule.event_type)


def _opens_at_zero(task: Task) -> bool:
    """Tell whether a gauge that another line of its brick came before begins here, and anew."""
    line = task.line
    if line.carries_on or not line.brick.metering.stands_on:
        return False
    return task.covered.starts_at == line.starts_at and any(
        other.brick_id == line.brick_id and other.starts_at < line.starts_at and not other.is_voided
        for other in task.due.lines
    )
