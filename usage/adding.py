"""Preview the addition of a line to a subscription: its opening value and the upcoming invoices."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from billing import contracts, figures
from billing.actors import Actor
from billing.calendar import Period
from billing.contracts import Foreseen, LineTerms
from billing.entry.numbers import spell_number
from billing.invoicing import DraftInvoice
from billing.models import InvoiceLine, Line, Subscription
from billing.money import format_decimal
from billing.open_periods import periods_over
from usage import ledger
from usage.closing import REFUSALS, draft_periods
from usage.metering import Window, opening_records
from usage.models import UsageRecord


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening of a line that follows the line ``former`` of its brick. ``last``: the last value of the former line.

    ``last`` is None if the former line had no value. It is carried on only if the line ``carries_on``.
    """

    former: Line
    last: Decimal | None
    carries_on: bool

    @property
    def value(self) -> Decimal:
        return self.last if self.carries_on and self.last is not None else Decimal(0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The invoices of the period in which a line starts and of the next one, if no further usage is reported.

    ``older``: the number of open periods before them. ``problem``: the reason if the invoices can't be computed.
    """

    periods: tuple[Period, ...] = ()
    totals: tuple[Decimal, ...] = ()
    older: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """The invoices before and after a line that follows another is added."""

    line: Line
    opening: Opening
    before: Outlook
    after: Outlook


class _Undone(Exception):
    """Raised to roll back a line that was added for the preview."""


def opening_of(line: Line) -> Opening | None:
    """Return a line's opening by current usage; None if its values don't stand on or it follows no line."""
    if not line.brick.metering.stands_on:
        return None
    former = contracts.former_line(line)
    if former is None or former.ends_at is None:
        return None
    # Metering finds the record: at the start of the line, or at the end of the former one if nothing is carried on.
    asked, at = (line, line.starts_at) if line.carries_on else (former, former.ends_at)
    window = Window.of(asked, at, at, cutoff=ledger.last_id(workspace_id=line.workspace_id))
    (record_id,) = opening_records([window])
    opened_by = UsageRecord.objects.filter(workspace_id=line.workspace_id, pk=record_id or 0)
    last = opened_by.values_list("quantity", flat=True).first()
    return Opening(former, last, line.carries_on)


def effect_of_adding(*, subscription: Subscription, terms: LineTerms, actor: Actor) -> Effect | None:
    """Add a line, compute its effect and roll back; None if its values don't stand on or it follows no line.

    Raises ``ValidationError`` if it can't be added.
    """
    if not terms.brick.metering.stands_on:
        return None
    found: list[tuple[Line, Opening, Outlook]] = []
    cutoff = ledger.last_id(workspace_id=subscription.workspace_id)
    with suppress(_Undone), transaction.atomic():
        line = contracts.add_line(subscription=subscription, **vars(terms), actor=actor)
        if opening := opening_of(line):
            found.append((line, opening, _outlook(subscription, line.starts_at, cutoff)))
        raise _Undone
    for line, opening, after in found:
        return Effect(line, opening, before=_outlook(subscription, line.starts_at, cutoff), after=after)
    return None


def in_words(subscription: Subscription, terms: LineTerms, actor: Actor) -> Foreseen | None:
    """Return the text to confirm before a line is added; None if there is none or it can't be added."""
    try:
        effect = effect_of_adding(subscription=subscription, terms=terms, actor=actor)
    except ValidationError:
        return None
    if effect is None:
        return None
    line, opening = effect.line, effect.opening
    last = None if opening.last is None else format_decimal(opening.last)
    said = [_opening_in_words(opening, subscription), *_invoices_in_words(effect, subscription)]
    return Foreseen(" ".join(said), (opening.former.pk, last, opening.carries_on, line.starts_at, line.ends_at))


def _opening_in_words(opening: Opening, subscription: Subscription) -> str:
    if opening.last is None:
        return f"It opens at 0: {opening.former} had no value."
    last = spell_number(opening.last, subscription.workspace.formats.numbers)
    if opening.carries_on:
        return f"It opens with {last}, the last value of {opening.former}."
    return f"It opens at 0: the last value of {opening.former}, {last}, is not carried on."


def _invoices_in_words(effect: Effect, subscription: Subscription) -> Iterator[str]:
    style, tz = subscription.workspace.formats.numbers, subscription.workspace.tz
    before, after = effect.before, effect.after
    if problem := before.problem or after.problem:
        yield f"The invoices can't be computed: {problem}"
        return
    yield "If no further usage is reported:"
    for period, was, becomes in zip(after.periods, before.totals, after.totals, strict=True):
        of, currency = figures.days(period.starts_at, period.ends_at, tz), subscription.currency
        sums = [figures.money(amount, currency, style) for amount in (was, becomes)]
        yield f"The invoice of {of} is {sums[0]} before and {sums[1]} after."
    most = settings.CLOSE_MAX_PERIODS
    if after.older > most:
        yield f"More than {figures.count(most, style)} older periods are open, more than are closed at once."
    elif after.older:
        yield f"{figures.count(after.older, style)} older period{' is' if after.older == 1 else 's are'} open too."


def _outlook(subscription: Subscription, starts_at: datetime, cutoff: int) -> Outlook:
    """Measure the period of a moment and the next one to their ends, and rate them with the current lines."""
    own = Subscription.objects.filter(workspace_id=subscription.workspace_id).select_related("workspace")
    subscription = own.get(pk=subscription.pk)
    try:
        periods = tuple(_periods(subscription, starts_at))
        older = len(periods_over(subscription, periods[0].starts_at, most=settings.CLOSE_MAX_PERIODS + 1))
        drafts = draft_periods(subscription=subscription, periods=periods, cutoff=cutoff)
    except REFUSALS as error:
        return Outlook(problem=str(error))
    if older:
        drafts = list(map(_without_differences, drafts))
    return Outlook(periods, tuple(invoice.total for invoice in drafts), older)


def _periods(subscription: Subscription, starts_at: datetime) -> Iterator[Period]:
    first = contracts.period_around(subscription, starts_at)
    assert first is not None
    yield first.intersect(subscription.open_from_at, None) or first
    following = contracts.period_around(subscription, first.ends_at)
    if following is not None:
        yield following


def _without_differences(invoice: DraftInvoice) -> DraftInvoice:
    """Remove the differences of closed periods, which are billed with the oldest open period."""
    return replace(invoice, lines=tuple(line for line in invoice.lines if line.kind == InvoiceLine.Kind.USAGE))
