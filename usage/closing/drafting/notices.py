"""Compute the notices of lines for a reviewer, and select the true-ups of zero that are kept because of theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from billing.invoicing import Told
from billing.rating import Charge
from usage.ahead import owners_dated_ahead
from usage.closing.drafting.line_periods import LinePeriod
from usage.closing.due import Due
from usage.closing.unread import filter_notice, unread_notice
from usage.metering import Measurement

DATED_AHEAD = "has usage that is dated in the future and counts in no period yet"
OPENS_AT_ZERO = "opens at 0: the value of the previous line is not carried on"


@dataclass(slots=True)
class Noted:
    """Shared state of the notices of one call of ``draft``.

    ``ahead``: the lines, and event types of customers, that have usage dated in the future. ``told``: the gaps of rules
    that already have a notice.
    """

    ahead: set[Sequence[object]]
    told: set[Sequence[object]] = field(default_factory=set)


def noted(dues: Sequence[Due], as_of: datetime | None) -> Noted:
    """Return the initial state. ``as_of``: usage dated after it is in the future."""
    if as_of is None or not dues:
        return Noted(set())
    return Noted(owners_dated_ahead(workspace_id=dues[0].subscription.workspace_id, as_of=as_of))


def tells_news(
    line_period: LinePeriod, measurement: Measurement, charge: Charge, told: Mapping[tuple[int, datetime], Told]
) -> bool:
    """Tell whether a true-up of zero has a notice that earlier invoices of its line and period did not have.

    This is the case for a new unreadable event, for a property that is missing on more events than before, and for
    another surprise of rating. ``told``: the latest notices, per line and start of the measured window.
    """
    if measurement.unread.newest > line_period.line.cutoff:
        return True
    before = told.get(line_period.window) or Told()
    if any(events > before.filter_gaps.get(name, 0) for name, events in measurement.filter_gaps.items()):
        return True
    return bool(charge.surprise) and charge.surprise != before.surprise


def notices_of(line_period: LinePeriod, measurement: Measurement, noted: Noted) -> Iterable[str]:
    """Yield the notices of a line that don't come from rating."""
    if not line_period.is_true_up and _opens_at_zero(line_period):
        yield OPENS_AT_ZERO
    if not line_period.is_true_up and line_period.invoice == 0 and _whose(line_period) in noted.ahead:
        yield DATED_AHEAD
    if line_period.rule is None:
        return
    style = line_period.due.subscription.workspace.formats.numbers
    for name, events in measurement.filter_gaps.items():
        if events and _is_first(line_period, name, noted):
            yield filter_notice(
                line_period.rule.event_type, name, events, style, is_negated=name in line_period.rule.negated
            )
    if measurement.unread.count and (not measurement.is_missing_everywhere or _is_first(line_period, None, noted)):
        yield unread_notice(line_period.rule, measurement, style)


def _is_first(line_period: LinePeriod, name: str | None, noted: Noted) -> bool:
    """Tell whether a gap of the rule has no notice yet: two lines of a brick have the same gaps in a period.

    ``name``: the property that the rule filters by; None for the aggregated property.
    """
    about = (
        line_period.due.subscription.pk,
        line_period.period.starts_at,
        line_period.rule and line_period.rule.pk,
        name,
    )
    is_first = about not in noted.told
    noted.told.add(about)
    return is_first


def _whose(line_period: LinePeriod) -> Sequence[object]:
    """Return the key of a line's usage in ``Noted.ahead``: the line, or the customer and the event type."""
    if line_period.rule is None:
        return (line_period.line.pk,)
    return (line_period.due.subscription.customer_id, line_period.rule.event_type)


def _opens_at_zero(line_period: LinePeriod) -> bool:
    """Tell whether a gauge starts here without the value of the previous line of its brick."""
    line = line_period.line
    if line.carries_on or not line.brick.metering.stands_on:
        return False
    return line_period.covered.starts_at == line.starts_at and any(
        other.brick_id == line.brick_id and other.starts_at < line.starts_at and not other.is_voided
        for other in line_period.due.lines
    )
