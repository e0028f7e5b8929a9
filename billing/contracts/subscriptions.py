"""Create, end and extend subscriptions."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists

from billing import history, names
from billing.actors import Actor
from billing.calendar import CalendarOutOfRange
from billing.contracts import line_numbers
from billing.contracts.ends import end_at, locked_subscription, why_closed
from billing.contracts.following import following
from billing.contracts.lines import add_line
from billing.contracts.periods import next_close_at
from billing.contracts.refusals import UnableToAgree, within
from billing.contracts.terms import LineTerms
from billing.models import Customer, Line, Subscription


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
    actor: Actor,
) -> Subscription:
    """Create a customer's subscription with its lines; raise ``ValidationError`` naming the field.

    ``id`` and ``reference`` adopt identifiers that clients of another system already use. All lines are priced in
    ``currency``, by default the workspace's. The field of a line has a name such as ``lines.0.price``.
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
        raise UnableToAgree({"ends_at": "The end is before the start."})
    subscription.full_clean()
    try:
        subscription.next_close_at = next_close_at(subscription)
    except CalendarOutOfRange as error:
        raise UnableToAgree({"starts_at": str(error)}) from error
    # Lock before names are assigned, so that two requests with lines don't deadlock.
    line_numbers.lock(workspace_id=subscription.workspace_id)
    history.insert(subscription, actor=actor)
    names.give_agreed(subscription)
    for place, terms in enumerate(lines):
        with within(f"lines.{place}"):
            add_line(subscription=subscription, **vars(terms), actor=actor)
    return subscription


@transaction.atomic
def end_subscription(
    *, subscription: Subscription, ends_at: datetime | None, actor: Actor, as_of: datetime | None = None
) -> Subscription:
    """End a subscription and its lines at a moment; its last period is then due. Raises ``UnableToAgree``.

    A later end, or None for no end, extends the subscription and the lines that end with it. A line that it had cut
    short continues to its own end; lines that ended before do not change (``staying_ended``). A subscription that ends
    at its start, with no period closed, is voided with all its lines: nothing of it is billed, and its reference can
    be used again. ``as_of`` is as for ``end_line``.
    """
    subscription = locked_subscription(subscription.workspace_id, subscription.pk)
    _check_end_of(subscription, ends_at)
    subscription.ends_at = ends_at
    subscription.next_close_at = next_close_at(subscription)
    if subscription.is_voided:
        names.free_reference(subscription)
    history.save(subscription, fields=["ends_at", "next_close_at", "reference"], actor=actor)
    lines = subscription.lines.not_voided().select_for_update(of=("self",))
    for line in lines.select_related("brick").order_by("id"):
        line.subscription = subscription
        if subscription.is_voided:
            line.own_ends_at = line.starts_at
            end_at(line, line.starts_at, actor, as_of)
        elif ends_at is not None and line.starts_at >= ends_at:
            raise UnableToAgree({"ends_at": f"{line} starts later."})
        elif (moved := _end_within(subscription, line)) != line.ends_at:
            end_at(line, moved, actor, as_of)
    return subscription


def staying_ended(*, subscription: Subscription, former_end: datetime | None) -> list[Line]:
    """Return by number the lines that had ended by a subscription's former end and stay ended when it is extended.

    Empty if it was not extended. A line that is followed by another one of its brick is omitted: that one continues.
    """
    ends_at = subscription.ends_at
    if former_end is None or (ends_at is not None and ends_at <= former_end):
        return []
    lines = Line.objects.filter(workspace_id=subscription.workspace_id, subscription=subscription).not_voided()
    stayed = lines.filter(ends_at__lte=former_end).exclude(Exists(following()))
    return list(stayed.select_related("brick").order_by("number"))


def _end_within(subscription: Subscription, line: Line) -> datetime | None:
    """Return the end of a line: its own or its subscription's, whichever is earlier."""
    ends = [moment for moment in (line.own_ends_at, subscription.ends_at) if moment is not None]
    return min(ends, default=None)


def _check_end_of(subscription: Subscription, ends_at: datetime | None) -> None:
    if subscription.is_voided:
        raise UnableToAgree({"ends_at": "The subscription was voided."})
    if subscription.next_close_at is None:
        raise UnableToAgree({"ends_at": "The subscription has ended and its last period is closed."})
    if ends_at is None:
        return
    if ends_at < subscription.starts_at:
        raise UnableToAgree({"ends_at": "The end is before the start."})
    if ends_at < subscription.open_from_at:
        raise UnableToAgree({"ends_at": why_closed(subscription, ends_at)})
