"""The only writer of subscriptions and lines: what is agreed, from when until when, and where closing stands.

Days that people name become moments here: a subscription begins at the first moment of a day in the workspace's time
zone and ends at the first moment that it no longer covers.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, UniqueConstraint

from billing import catalog, line_numbers, names
from billing.aggregations import short_labels
from billing.calendar import CalendarOutOfRange, Interval, Period, period_at
from billing.catalog import PriceTerms
from billing.limits import NO_LIMITS, Limits
from billing.models import Brick, CloseRun, Customer, Line, Price, Subscription
from billing.rating import TermsError

# Asked before a line ends, with the moment of asking where it is known; each returns why it may not, or None. The
# ledger adds the question whether usage was recorded later: billing does not know the ledger.
objections_to_ending: list[Callable[[Line, datetime, datetime | None], ValidationError | None]] = []


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a person is to see before a line is added, in words, and what of it is decided by: all that moves is not."""

    said: str
    decided: tuple[object, ...]


# Asked before a person adds a line; each returns what of it is to be seen first, or None. The ledger's side says what a
# gauge would open with.
effects_of_adding: list[Callable[[Subscription, "LineTerms"], Foreseen | None]] = []


class UnableToAgree(ValidationError):
    """The subscription or line can't be as asked; the message names the field."""


@dataclass(frozen=True)
class LineTerms:
    """A line to be added; ``price`` is one that there is, or terms of which one is made.

    ``carries_on``: of a gauge, whether it opens with the last value of the line before it, as it does if left at None.
    """

    brick: Brick
    price: Price | PriceTerms
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reference: str | None = None
    limits: Limits = NO_LIMITS
    number: int | None = None
    carries_on: bool | None = None


def open_period(subscription: Subscription) -> Period | None:
    """Return the subscription's first period that is not closed, or None where none is left."""
    return period_around(subscription, subscription.open_from_at)


def period_around(subscription: Subscription, moment: datetime) -> Period | None:
    """Return the subscription's period that contains a moment, or None outside of its life.

    Raises ``CalendarOutOfRange``.
    """
    return period_at(
        moment,
        anchor_on=subscription.anchor_on,
        interval=Interval(subscription.interval),
        tz=subscription.workspace.tz,
        starts_at=subscription.starts_at,
        ends_at=subscription.ends_at,
    )


def next_close_at(subscription: Subscription) -> datetime | None:
    """Return the moment at which the subscription's first open period ends, or None where none is left."""
    period = open_period(subscription)
    return None if period is None else period.ends_at


@transaction.atomic
def create_subscription(
    *,
    customer: Customer,
    starts_at: datetime,
    anchor_on: date,
    interval: str = Subscription.Interval.MONTHLY,
    ends_at: datetime | None = None,
    currency: str | None = None,
    reference: str | None = None,
    id: uuid.UUID | None = None,  # noqa: A002  (the field's own name)
    lines: Sequence[LineTerms] = (),
) -> Subscription:
    """Begin a subscription of a customer with its lines; raise ``ValidationError`` naming the field.

    ``id`` and ``reference`` take over what clients of another system already hold. ``currency`` is the workspace's
    where none is given; all its lines are priced in it. A line's field is named as ``lines.0.price``.
    """
    subscription = Subscription(
        id=id or uuid.uuid4(),
        workspace=customer.workspace,
        customer=customer,
        reference=reference or None,
        currency=currency or customer.workspace.currency,
        interval=interval,
        anchor_on=anchor_on,
        starts_at=starts_at,
        ends_at=ends_at,
        open_from_at=starts_at,
    )
    if ends_at is not None and ends_at <= starts_at:
        raise UnableToAgree({"ends_at": "It ends before it starts."})
    subscription.full_clean()
    try:
        subscription.next_close_at = next_close_at(subscription)
    except CalendarOutOfRange as error:
        raise UnableToAgree({"starts_at": str(error)}) from error
    # Before names are given, so that two requests with lines don't wait for each other.
    line_numbers.lock(workspace_id=subscription.workspace_id)
    subscription.save(force_insert=True)
    names.give_agreed(subscription)
    for place, terms in enumerate(lines):
        with _within(f"lines.{place}"):
            add_line(subscription=subscription, **vars(terms))
    return subscription


@transaction.atomic
def add_line(
    *,
    subscription: Subscription,
    brick: Brick,
    price: Price | PriceTerms,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reference: str | None = None,
    limits: Limits = NO_LIMITS,
    number: int | None = None,
    carries_on: bool | None = None,
) -> Line:
    """Add a brick at a price to a subscription, from its start or a later moment on; raise ``UnableToAgree``.

    Of terms a price is made first.

    A subscription has ``LINES_PER_SUBSCRIPTION`` at most, and a brick one at a time: to change its price, end the line
    and add the next. A gauge then opens with the former line's last value, unless ``carries_on`` says that it opens at
    0. ``number`` takes over the integer that clients of another system already hold; without one it is the workspace's
    next. A taken number or reference raises a plain ``ValidationError``, limits that the line can't have
    ``LimitsRefused``.
    """
    subscription = _locked(subscription.workspace_id, subscription.pk)
    if subscription.is_voided:
        raise UnableToAgree({NON_FIELD_ERRORS: "The subscription was voided: it covers nothing."})
    _make_room(subscription)
    if isinstance(price, PriceTerms):
        with _within("price"):
            price = catalog.create_price(brick=brick, **vars(price))
    line = Line(
        workspace_id=subscription.workspace_id,
        subscription=subscription,
        brick=brick,
        price=price,
        reference=reference or None,
        starts_at=starts_at or subscription.open_from_at,
        ends_at=ends_at or subscription.ends_at,
        own_ends_at=_own_end(ends_at, subscription),
        open_from_at=subscription.open_from_at,
        carries_on=_carries_on(brick, carries_on),
    )
    _check_parties(line)
    if line.starts_at < subscription.open_from_at:
        why = _why_closed(subscription, line.starts_at, otherwise="closed or not covered")
        raise UnableToAgree({"starts_at": why})
    _check_end(line)
    limits.put_on(line)
    line.number = line_numbers.number_for_line(workspace_id=line.workspace_id, given=number)
    _check_fields(line)
    line.save(force_insert=True)
    names.give_agreed(line)
    return line


@contextmanager
def _within(path: str) -> Iterator[None]:
    """Name the fields of what is raised by their path."""
    try:
        yield
    except TermsError as error:
        raise UnableToAgree({f"{path}.{error.field}": error.problem}) from error
    except ValidationError as error:
        fields_of = getattr(error, "error_dict", {NON_FIELD_ERRORS: error})
        raise ValidationError({f"{path}.{name}": errors for name, errors in fields_of.items()}) from error


def _locked(workspace_id: int, subscription_id: uuid.UUID) -> Subscription:
    subscriptions = Subscription.objects.select_for_update(of=("self",)).select_related("workspace")
    return subscriptions.get(workspace_id=workspace_id, pk=subscription_id)


def _make_room(subscription: Subscription) -> None:
    """Raise ``UnableToAgree`` where a subscription, which is locked, has as many lines as one may have."""
    most = settings.LINES_PER_SUBSCRIPTION
    # Those from before there was a bound, which may be many more, are not all counted.
    lines = Line.objects.filter(workspace=subscription.workspace_id, subscription=subscription).order_by()
    if lines[:most].count() >= most:
        message = f"A subscription has at most {most} lines, those that have ended included. Begin another one."
        raise UnableToAgree({"brick": message})


def _carries_on(brick: Brick, asked: bool | None) -> bool:
    stands_on = brick.metering.stands_on
    if asked and not stands_on:
        raise UnableToAgree({"carries_on": f"Only a {short_labels('stands_on')} carries a value on."})
    return stands_on if asked is None else asked


def _check_parties(line: Line) -> None:
    subscription, brick, price = line.subscription, line.brick, line.price
    if brick.workspace_id != subscription.workspace_id:
        raise UnableToAgree({"brick": "This brick is of another workspace."})
    if brick.archived_at is not None:
        raise UnableToAgree({"brick": "This brick is archived: it is not sold any more."})
    if price.brick_id != brick.pk:
        raise UnableToAgree({"price": "This price is of another brick."})
    if price.currency != subscription.currency:
        raise UnableToAgree({"price": f"The subscription is in {subscription.currency}, the price is not."})
    if brick.metering.takes_events and not catalog.current_rules(workspace_id=brick.workspace_id, brick_ids=[brick.pk]):
        raise UnableToAgree({"brick": "This brick has no rule yet that says which events it counts."})
    if not brick.is_metered and price.pricing.is_metered:
        raise UnableToAgree({"price": "A brick that is not metered needs a flat price."})
    try:
        price.terms()
    except TermsError as error:
        raise UnableToAgree({"price": f"This price is incomplete: {error}"}) from error


def _check_fields(line: Line) -> None:
    """Raise ``ValidationError`` for what a field can't hold, or another line has already.

    The other constraints are checked with words of their own, and kept by the database: to ask it about each of them
    beforehand would take longer than all the rest of a line.
    """
    line.clean_fields(exclude=["workspace", "subscription", "brick", "price"])
    taken: dict[str, list[ValidationError]] = {}
    for constraint in Line._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.condition is None:
            try:
                constraint.validate(Line, line)
            except ValidationError as error:
                error.update_error_dict(taken)
    if taken:
        raise ValidationError(taken)


def _check_end(line: Line) -> None:
    subscription = line.subscription
    if subscription.ends_at and (line.ends_at is None or line.ends_at > subscription.ends_at):
        end = {"end": subscription.workspace.local(subscription.ends_at)}
        raise UnableToAgree({"ends_at": ValidationError("The subscription ends at %(end)s.", params=end)})
    if line.ends_at and line.ends_at <= line.starts_at:
        raise UnableToAgree({"ends_at": "It ends before it starts."})
    others = Line.objects.filter(workspace_id=line.workspace_id, subscription=subscription, brick_id=line.brick_id)
    others = others.exclude(pk=line.pk).not_voided()
    if line.ends_at:
        others = others.filter(starts_at__lt=line.ends_at)
    if others.exclude(ends_at__lte=line.starts_at).exists():
        raise UnableToAgree({"brick": "The subscription has a line of this brick at that time."})


@transaction.atomic
def set_limits(*, line: Line, limits: Limits) -> Line:
    """Give a line these usage limits and no others, for all usage from now on; raise ``LimitsRefused``.

    What was recorded stays, whatever it adds up to.
    """
    # FOR UPDATE, which usage that is being recorded without a limit excludes: the next to measure a period sees it.
    lines = Line.objects.select_for_update(of=("self",)).select_related("brick")
    line = lines.get(workspace_id=line.workspace_id, pk=line.pk)
    limits.put_on(line)
    # Of the limits alone: what stood there before a rule was made is nothing to refuse.
    line.full_clean(exclude=["reference"])
    line.save(update_fields=[field.name for field in fields(limits)])
    return line


@transaction.atomic
def end_line(*, line: Line, ends_at: datetime | None, as_of: datetime | None = None) -> Line:
    """Let a line end at a moment, or with its subscription (None); raise ``UnableToAgree``.

    The moment is the line's own end, which it keeps whatever becomes of its subscription's; one that is the
    subscription's at the time is none: the line ends with it.

    A closed period or recorded usage may stand against it. Usage that is dated in the future as of ``as_of``, and
    beyond the end, does not: it stays in the ledger, and counts nowhere as long as the line has ended before it. A line
    that ends where it begins is voided: it was a mistake and covers nothing, and its reference is free.
    """
    # The subscription first, as closing and add_line do: lines of one brick are compared under its lock.
    subscription = _locked(line.workspace_id, line.subscription_id)
    line = Line.objects.select_for_update().get(workspace_id=line.workspace_id, pk=line.pk)
    line.subscription = subscription
    if line.is_voided:
        raise UnableToAgree({"ends_at": "The line was voided: it covers nothing."})
    line.own_ends_at = _own_end(ends_at, subscription)
    return _end_at(line, ends_at or subscription.ends_at, as_of)


def _own_end(ends_at: datetime | None, subscription: Subscription) -> datetime | None:
    return None if ends_at == subscription.ends_at else ends_at


def _end_at(line: Line, ends_at: datetime | None, as_of: datetime | None) -> Line:
    """Let a line end where it is found to, with its subscription locked."""
    _check_open(line, ends_at)
    line.ends_at = ends_at
    if ends_at == line.starts_at:
        names.free_reference(line)
    else:
        _check_end(line)
    if ends_at is not None:
        _ask(line, ends_at, as_of)
    line.save(update_fields=["ends_at", "own_ends_at", "reference"])
    return line


def _check_open(line: Line, ends_at: datetime | None) -> None:
    ends = [moment for moment in (ends_at, line.ends_at) if moment is not None]
    if line.open_from_at > line.starts_at and ends and min(ends) < line.open_from_at:
        raise UnableToAgree({"ends_at": _why_closed(line.subscription, min(ends))})


def _why_closed(subscription: Subscription, moment: datetime, *, otherwise: str = "closed") -> ValidationError:
    """Say why nothing changes at a moment before the first open period: what is only drafted can be taken back."""
    since = {"since": subscription.workspace.local(subscription.open_from_at)}
    touched = subscription.periods.filter(ends_at__gt=moment)
    drafted = Q(run__state__in=(CloseRun.State.COMPUTING, CloseRun.State.REVIEW))
    drafting = touched.filter(drafted).values("run")
    runs = CloseRun.objects.filter(workspace_id=subscription.workspace_id, pk__in=drafting).order_by("pk")
    if not runs or touched.exclude(drafted).exists():
        return ValidationError(f"Periods before %(since)s are {otherwise}.", params=since)
    named = ", ".join(map(str, runs))
    return ValidationError(f"Periods before %(since)s are drafted in {named}, to be discarded first.", params=since)


def _ask(line: Line, ends_at: datetime, as_of: datetime | None) -> None:
    for objection in objections_to_ending:
        if reason := objection(line, ends_at, as_of):
            raise UnableToAgree({"ends_at": reason})


@transaction.atomic
def end_subscription(
    *, subscription: Subscription, ends_at: datetime | None, as_of: datetime | None = None
) -> Subscription:
    """End a subscription and its lines at a moment; its last period is then due. Raises ``UnableToAgree``.

    A later end, or none (None), prolongs it, and with it the lines that were to end with it; one that it had cut short
    goes on to its own end, and those that ended before stay as they are (``staying_ended``). A subscription that ends
    where it begins, with no period closed, is voided with all its lines: it was a mistake, nothing of it is billed, and
    its reference is free. ``as_of`` is as for ``end_line``.
    """
    subscription = _locked(subscription.workspace_id, subscription.pk)
    _check_end_of(subscription, ends_at)
    subscription.ends_at = ends_at
    subscription.next_close_at = next_close_at(subscription)
    if subscription.is_voided:
        names.free_reference(subscription)
    subscription.save(update_fields=["ends_at", "next_close_at", "reference"])
    lines = subscription.lines.not_voided().select_for_update(of=("self",))
    for line in lines.select_related("brick").order_by("id"):
        line.subscription = subscription
        if subscription.is_voided:
            line.own_ends_at = line.starts_at
            _end_at(line, line.starts_at, as_of)
        elif ends_at is not None and line.starts_at >= ends_at:
            raise UnableToAgree({"ends_at": f"{line} starts later."})
        elif (moved := _end_within(subscription, line)) != line.ends_at:
            _end_at(line, moved, as_of)
    return subscription


def staying_ended(*, subscription: Subscription, former_end: datetime | None) -> list[Line]:
    """Return the lines that had ended by a subscription's former end and did not go on when that was moved, by number.

    None where it was not prolonged. One that another line of its brick follows is not told: that one is what goes on.
    """
    ends_at = subscription.ends_at
    if former_end is None or (ends_at is not None and ends_at <= former_end):
        return []
    lines = Line.objects.filter(workspace_id=subscription.workspace_id, subscription=subscription).not_voided()
    following = lines.filter(brick_id=OuterRef("brick_id"), starts_at__gte=OuterRef("ends_at"))
    stayed = lines.filter(ends_at__lte=former_end).exclude(Exists(following))
    return list(stayed.select_related("brick").order_by("number"))


def _end_within(subscription: Subscription, line: Line) -> datetime | None:
    """Return where a line ends: at its own end or with its subscription, whichever is first."""
    ends = [moment for moment in (line.own_ends_at, subscription.ends_at) if moment is not None]
    return min(ends, default=None)


def _check_end_of(subscription: Subscription, ends_at: datetime | None) -> None:
    if subscription.is_voided:
        raise UnableToAgree({"ends_at": "The subscription was voided: it covers nothing."})
    if subscription.next_close_at is None:
        raise UnableToAgree({"ends_at": "The subscription has ended and its last period is closed."})
    if ends_at is None:
        return
    if ends_at < subscription.starts_at:
        raise UnableToAgree({"ends_at": "It ends before it starts."})
    if ends_at < subscription.open_from_at:
        raise UnableToAgree({"ends_at": _why_closed(subscription, ends_at)})
