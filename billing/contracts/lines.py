"""Add lines to subscriptions and set their usage limits."""

from dataclasses import fields
from datetime import datetime

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import Q, UniqueConstraint

from billing import catalog, history, names
from billing.actors import Actor
from billing.aggregations import short_labels
from billing.catalog import PriceTerms
from billing.contracts import line_numbers
from billing.contracts.ends import check_end, locked_subscription, own_end, why_closed
from billing.contracts.limits import NO_LIMITS, Limits
from billing.contracts.refusals import UnableToAgree, within
from billing.models import Brick, Line, Price, Subscription
from billing.rating import TermsError


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
    actor: Actor,
) -> Line:
    """Add a brick at a price to a subscription, from its first open moment or a later one.

    ``price`` may be terms, from which a price is created first. ``number`` adopts an integer that clients of another
    system already use; None takes the workspace's next. A subscription has at most ``LINES_PER_SUBSCRIPTION`` lines
    and one line of a brick at a time: to change a price, end the line and add the next. A gauge then opens with the
    last value of the former line, or with 0 if ``carries_on`` is False.

    Raises ``UnableToAgree``, ``LimitsRefused`` for limits that the line can't have, and ``ValidationError`` for a
    number or reference that is taken; each names the field.
    """
    subscription = locked_subscription(subscription.workspace_id, subscription.pk)
    if subscription.is_voided:
        raise UnableToAgree({NON_FIELD_ERRORS: "The subscription was voided."})
    _make_room(subscription)
    if isinstance(price, PriceTerms):
        with within("price"):
            price = catalog.create_price(brick=brick, **vars(price), actor=actor)
    line = Line(
        workspace_id=subscription.workspace_id,
        subscription=subscription,
        brick=brick,
        price=price,
        reference=reference or None,
        starts_at=starts_at or subscription.open_from_at,
        ends_at=ends_at or subscription.ends_at,
        own_ends_at=own_end(ends_at, subscription),
        open_from_at=subscription.open_from_at,
        carries_on=_carries_on(brick, carries_on),
    )
    _check_parties(line)
    if line.starts_at < subscription.open_from_at:
        why = why_closed(subscription, line.starts_at, otherwise="closed or outside the subscription")
        raise UnableToAgree({"starts_at": why})
    check_end(line)
    limits.put_on(line)
    line.number = line_numbers.number_for_line(workspace_id=line.workspace_id, given=number)
    _check_fields(line)
    history.insert(line, actor=actor)
    names.give_agreed(line)
    return line


@transaction.atomic
def set_limits(*, line: Line, limits: Limits, actor: Actor) -> Line:
    """Replace a line's usage limits, for all usage from now on; raise ``LimitsRefused``.

    Recorded usage stays, whatever its total.
    """
    # FOR UPDATE waits for usage that is being recorded without a limit, so that the next measurement includes it.
    lines = Line.objects.select_for_update(of=("self",)).select_related("brick")
    line = lines.get(workspace_id=line.workspace_id, pk=line.pk)
    limits.put_on(line)
    # A reference that is older than the current rules is not refused here.
    line.full_clean(exclude=["reference"])
    history.save(line, fields=[field.name for field in fields(limits)], actor=actor)
    return line


def has_open_lines(brick: Brick, *, as_of: datetime) -> bool:
    """Tell whether subscriptions have lines of a brick that continue after a moment or start after it."""
    lines = Line.objects.filter(workspace_id=brick.workspace_id, brick=brick)
    return lines.filter(Q(ends_at=None) | Q(ends_at__gt=as_of)).exists()


def _make_room(subscription: Subscription) -> None:
    """Raise ``UnableToAgree`` if a locked subscription has the maximum number of lines."""
    most = settings.LINES_PER_SUBSCRIPTION
    # Stop counting at the limit: subscriptions that are older than the limit may have many more.
    lines = Line.objects.filter(workspace=subscription.workspace_id, subscription=subscription).order_by()
    if lines[:most].count() >= most:
        message = f"A subscription has at most {most} lines, including ended ones. Start another subscription."
        raise UnableToAgree({"brick": message})


def _carries_on(brick: Brick, asked: bool | None) -> bool:
    stands_on = brick.metering.stands_on
    if asked and not stands_on:
        raise UnableToAgree({"carries_on": f"Only a {short_labels('stands_on')} can carry on a value."})
    return stands_on if asked is None else asked


def _check_parties(line: Line) -> None:
    subscription, brick, price = line.subscription, line.brick, line.price
    if brick.workspace_id != subscription.workspace_id:
        raise UnableToAgree({"brick": "This brick belongs to another workspace."})
    if brick.archived_at is not None:
        raise UnableToAgree({"brick": "This brick is archived: no further lines of it can be added."})
    if price.brick_id != brick.pk:
        raise UnableToAgree({"price": "This price belongs to another brick."})
    if price.currency != subscription.currency:
        raise UnableToAgree({"price": f"The price is not in the subscription's currency {subscription.currency}."})
    if brick.metering.takes_events and not catalog.current_rules(workspace_id=brick.workspace_id, brick_ids=[brick.pk]):
        raise UnableToAgree({"brick": "This brick counts events, but has no event rule yet."})
    if catalog.objection_to_model(brick, price.pricing):
        raise UnableToAgree({"price": "A brick that is not metered requires a flat price."})
    try:
        price.terms()
    except TermsError as error:
        raise UnableToAgree({"price": f"This price is incomplete: {error}"}) from error


def _check_fields(line: Line) -> None:
    """Raise ``ValidationError`` for a value that is invalid for its field or that another line has.

    The other constraints are checked above with specific messages, and enforced by the database: a query for each
    would take longer than the rest of adding a line.
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
