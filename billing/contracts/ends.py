"""End lines, and check an end against closed periods, recorded usage and other lines of the brick."""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from billing import history, names
from billing.actors import Actor
from billing.contracts.hooks import objections_to_ending
from billing.contracts.refusals import UnableToAgree
from billing.models import CloseRun, Line, Subscription


@transaction.atomic
def end_line(*, line: Line, ends_at: datetime | None, actor: Actor, as_of: datetime | None = None) -> Line:
    """End a line at a moment, or with its subscription (None). Raises ``UnableToAgree`` naming ``ends_at``.

    The moment is the line's own end, which stays when the subscription's end moves. A moment equal to the
    subscription's end is not an own end: the line ends with the subscription.

    Refused if a period after the end is closed or usage after it is recorded. Usage dated in the future as of
    ``as_of`` does not prevent it: it stays in the ledger and does not count while the line ends before it. A line that
    ends at its start is voided: it has no days, and its reference can be used again.
    """
    # Lock the subscription first, as closing and add_line do: lines of a brick are compared under this lock.
    subscription = locked_subscription(line.workspace_id, line.subscription_id)
    line = Line.objects.select_for_update().get(workspace_id=line.workspace_id, pk=line.pk)
    line.subscription = subscription
    if line.is_voided:
        raise UnableToAgree({"ends_at": "The line was voided."})
    line.own_ends_at = own_end(ends_at, subscription)
    return end_at(line, ends_at or subscription.ends_at, actor, as_of)


def own_end(ends_at: datetime | None, subscription: Subscription) -> datetime | None:
    """Return the end that a line keeps when its subscription's end moves; None if it ends with the subscription."""
    return None if ends_at == subscription.ends_at else ends_at


def end_at(line: Line, ends_at: datetime | None, actor: Actor, as_of: datetime | None) -> Line:
    """Save a line's computed end, with its subscription locked; raise ``UnableToAgree``."""
    _check_open(line, ends_at)
    line.ends_at = ends_at
    if ends_at == line.starts_at:
        names.free_reference(line)
    else:
        check_end(line)
    if ends_at is not None:
        _ask(line, ends_at, as_of)
    history.save(line, fields=["ends_at", "own_ends_at", "reference"], actor=actor)
    return line


def _check_open(line: Line, ends_at: datetime | None) -> None:
    ends = [moment for moment in (ends_at, line.ends_at) if moment is not None]
    if line.open_from_at > line.starts_at and ends and min(ends) < line.open_from_at:
        raise UnableToAgree({"ends_at": why_closed(line.subscription, min(ends))})


def why_closed(subscription: Subscription, moment: datetime, *, otherwise: str = "closed") -> ValidationError:
    """Return the objection to a change before the first open period; it names runs that could be discarded."""
    since = {"since": subscription.workspace.local(subscription.open_from_at)}
    touched = subscription.periods.filter(ends_at__gt=moment)
    drafted = Q(run__state__in=(CloseRun.State.COMPUTING, CloseRun.State.REVIEW))
    drafting = touched.filter(drafted).values("run")
    runs = CloseRun.objects.filter(workspace_id=subscription.workspace_id, pk__in=drafting).order_by("pk")
    if not runs or touched.exclude(drafted).exists():
        return ValidationError(f"Periods before %(since)s are {otherwise}.", params=since)
    named = ", ".join(map(str, runs))
    return ValidationError(f"Periods before %(since)s are drafted in {named}: discard these first.", params=since)


def _ask(line: Line, ends_at: datetime, as_of: datetime | None) -> None:
    for objection in objections_to_ending:
        if reason := objection(line, ends_at, as_of):
            raise UnableToAgree({"ends_at": reason})


def check_end(line: Line) -> None:
    """Raise ``UnableToAgree`` if a line ends too early or too late, or overlaps another line of its brick."""
    subscription = line.subscription
    if subscription.ends_at and (line.ends_at is None or line.ends_at > subscription.ends_at):
        end = {"end": subscription.workspace.local(subscription.ends_at)}
        raise UnableToAgree({"ends_at": ValidationError("The subscription ends at %(end)s.", params=end)})
    if line.ends_at and line.ends_at <= line.starts_at:
        raise UnableToAgree({"ends_at": "The end is before the start."})
    others = Line.objects.filter(workspace_id=line.workspace_id, subscription=subscription, brick_id=line.brick_id)
    others = others.exclude(pk=line.pk).not_voided()
    if line.ends_at:
        others = others.filter(starts_at__lt=line.ends_at)
    if others.exclude(ends_at__lte=line.starts_at).exists():
        raise UnableToAgree({"brick": "The subscription already has a line of this brick at that time."})


def locked_subscription(workspace_id: int, subscription_id: UUID) -> Subscription:
    """Return the current row of a subscription, with its workspace, locked until commit."""
    subscriptions = Subscription.objects.select_for_update(of=("self",)).select_related("workspace")
    return subscriptions.get(workspace_id=workspace_id, pk=subscription_id)
