"""What adding a line to a subscription would do: the value that its gauge opens with, and the invoices to come."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from billing import contracts, figures
from billing.calendar import CalendarOutOfRange, Interval, period_at
from billing.contracts import LineTerms
from billing.entry.numbers import spell_number
from billing.models import Brick, Line, Subscription
from billing.rating import TermsError
from usage import ledger
from usage.closing.due import dues_of, lines_of
from usage.drafting import draft
from usage.metering import RuleTooLarge, Window, opening_records
from usage.models import UsageRecord


@dataclass(frozen=True, slots=True)
class Effect:
    """A gauge's line that follows ``former``; ``value`` is that one's last, which the line opens with, or would.

    ``before`` and ``after``: the totals of the running invoice and, where there is a next one, of that, if nothing else
    is reported.
    """

    former: Line
    value: Decimal | None
    carries_on: bool
    before: tuple[Decimal, ...]
    after: tuple[Decimal, ...]


class _Undone(Exception):
    """The line was added only to see what comes of it."""


def effect_of_adding(*, subscription: Subscription, terms: LineTerms, as_of: datetime) -> Effect | None:
    """Add a line, look at what it does, and take it back; None where it is no gauge that follows another line.

    Raises ``ValidationError`` where it can't be added, and whatever rating raises.
    """
    if terms.brick.aggregation != Brick.Aggregation.UNIT_DAYS:
        return None
    found: list[Effect | None] = []
    try:
        with transaction.atomic():
            before = _totals(subscription, as_of)
            line = contracts.add_line(subscription=subscription, **vars(terms))
            former = _former(line)
            if former is not None:
                value = _last_value(former, line.starts_at)
                found.append(Effect(former, value, line.carries_on, before, _totals(subscription, as_of)))
            raise _Undone
    except _Undone:
        return found[0] if found else None


def in_words(subscription: Subscription, terms: LineTerms, as_of: datetime) -> str | None:
    """Say what a person should see before a line is added; None where that is nothing, or it can't be added."""
    try:
        effect = effect_of_adding(subscription=subscription, terms=terms, as_of=as_of)
    except (ValidationError, TermsError, CalendarOutOfRange, RuleTooLarge):
        return None
    if effect is None:
        return None
    style = subscription.workspace.formats.numbers
    if effect.value is None:
        opening = f"It opens at 0: {effect.former} had no value."
    elif effect.carries_on:
        opening = f"It opens with {spell_number(effect.value, style)}, the last value of {effect.former}."
    else:
        last = spell_number(effect.value, style)
        opening = f"It opens at 0: the last value of {effect.former}, {last}, is not carried on."
    invoices = " ".join(
        f"The {name} invoice is {_money(before, subscription)} before and {_money(after, subscription)} after."
        for name, before, after in zip(("running", "next"), effect.before, effect.after, strict=False)
    )
    return f"{opening} If nothing else is reported: {invoices}" if invoices else opening


def _money(amount: Decimal, subscription: Subscription) -> str:
    return figures.money(amount, subscription.currency, subscription.workspace.formats.numbers)


def _former(line: Line) -> Line | None:
    earlier = Line.objects.filter(
        workspace_id=line.workspace_id,
        subscription_id=line.subscription_id,
        brick_id=line.brick_id,
        starts_at__lt=line.starts_at,
    ).order_by("-starts_at")
    return next((one for one in earlier if not one.is_voided), None)


def _last_value(former: Line, until: datetime) -> Decimal | None:
    window = Window(Brick.Aggregation.UNIT_DAYS, former.pk, starts_at=until, ends_at=until, cutoff=ledger.last_id())
    (record_id,) = opening_records([window])
    return UsageRecord.objects.values_list("quantity", flat=True).filter(pk=record_id or 0).first()


def _totals(subscription: Subscription, as_of: datetime) -> tuple[Decimal, ...]:
    """Return the totals of the running and the next invoice, measured to the ends of their periods."""
    fresh = Subscription.objects.select_related("workspace").get(pk=subscription.pk)
    running = contracts.open_period(fresh)
    if running is None:
        return ()
    following = period_at(
        running.ends_at,
        anchor_on=fresh.anchor_on,
        interval=Interval(fresh.interval),
        tz=fresh.workspace.tz,
        starts_at=fresh.starts_at,
        ends_at=fresh.ends_at,
    )
    periods = (running,) if following is None else (running, following)
    due = replace(dues_of([fresh], lines_of([fresh]), as_of)[0], periods=periods)
    return tuple(invoice.total for invoice in draft(dues=[due], cutoff=ledger.last_id()))
