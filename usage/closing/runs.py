"""Start close runs, manually or by the schedule, and find runs at work, stalled runs, and runs that block others."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from billing import history
from billing.actors import Actor
from billing.models import BillingPeriod, CloseItem, CloseRun, Subscription, Workspace
from billing.storage import timeouts
from billing.storage.outages import outage_of
from usage.closing.changed import has_changed_events
from usage.heartbeats import take_up_silent
from usage.models import Matching, UsageRecord

logger = logging.getLogger(__name__)


class NothingToClose(Exception):
    """There is no period to close. ``left_to``: other runs that have closed some of the requested periods.

    ``named``: these runs with their states, for a message.
    """

    def __init__(self, workspace: Workspace, until_at: datetime, left_to: Sequence[CloseRun]) -> None:
        until = f"{until_at.astimezone(workspace.tz):%Y-%m-%d %H:%M}"
        self.left_to = tuple(left_to)
        self.named = ", ".join(f"{run} ({run.get_state_display().lower()})" for run in left_to)
        super().__init__(
            f"The periods of {workspace} that have ended by {until} are in {self.named}."
            if left_to
            else f"No period of {workspace} has ended by {until}."
        )


@transaction.atomic
def start(
    *,
    workspace: Workspace,
    until_at: datetime,
    actor: Actor,
    as_of: datetime,
    automatic: bool = False,
    issues_itself: bool = False,
) -> CloseRun:
    """Create a run for the open periods of the workspace that end by ``until_at`` and by ``as_of``.

    ``work`` computes its drafts later, and issues them if the run ``issues_itself``. Subscriptions that are pending or
    drafted in another run are skipped until that run is issued or discarded. An automatic run skips subscriptions that
    are parked, until a person closes them, and customers whose events are still being matched. Statements have the
    caller's timeout; see ``start_in_job``. Raises ``NothingToClose``.
    """
    until_at = min(until_at, as_of)
    due = _due(workspace, until_at).exclude(Exists(_holding(workspace).filter(subscription=OuterRef("pk"))))
    if automatic:
        parked = still_parked(workspace_id=workspace.pk).filter(subscription=OuterRef("pk"), is_passing=False)
        matching = Matching.objects.filter(
            workspace=workspace, customer=OuterRef("customer"), state=Matching.State.MATCHING
        )
        due = due.exclude(Exists(parked)).exclude(Exists(matching))
    run = CloseRun(
        workspace=workspace,
        until_at=until_at,
        issues_itself=issues_itself,
        started_by=actor.label,
        started_at=as_of,
        heartbeat_at=as_of,
    )
    history.insert(run, actor=actor)
    if not _add_items(run, due):
        asked: Any = {"workspace": workspace, "until_at": until_at}
        holders = {*left_to(**asked), *drafted_in(**asked)}
        raise NothingToClose(workspace, until_at, sorted(holders, key=lambda holder: holder.pk))
    return run


@transaction.atomic
def start_in_job(**asked: Any) -> CloseRun:
    """Create a run as ``start`` does, with the statement timeout of a close: for callers outside requests."""
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    return start(**asked)


def _add_items(run: CloseRun, due: QuerySet[Subscription]) -> int:
    """Add an item per due subscription to the run, in one statement that reads no ids into Python; return their number.

    If runs are started concurrently, the first one gets the subscription.
    """
    found, parameters = due.values("pk").query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_closeitem (workspace_id, run_id, subscription_id, state, reason, holds_subscription)"
            f" SELECT %s, %s, due.pk, 'pending', '', true FROM ({found}) due WHERE true ORDER BY due.pk"
            " ON CONFLICT DO NOTHING",
            [run.workspace_id, run.pk, *parameters],
        )
        return cursor.rowcount


def left_to(*, workspace: Workspace, until_at: datetime) -> list[CloseRun]:
    """Return, in order, the runs that hold subscriptions due by ``until_at``."""
    held = _holding(workspace).filter(subscription__in=_due(workspace, until_at))
    return list(CloseRun.objects.filter(workspace=workspace, pk__in=held.values("run")).order_by("pk"))


def drafted_in(*, workspace: Workspace, until_at: datetime) -> list[CloseRun]:
    """Return, in order, the unfinished runs with closed periods that end by ``until_at``."""
    unfinished = CloseRun.objects.filter(workspace=workspace, state__in=CloseRun.UNFINISHED)
    drafted = BillingPeriod.objects.filter(workspace=workspace, run=OuterRef("pk"), ends_at__lte=until_at)
    return list(unfinished.filter(Exists(drafted)).order_by("pk"))


def _holding(workspace: Workspace) -> QuerySet[CloseItem]:
    return CloseItem.objects.filter(workspace=workspace, holds_subscription=True)


def _due(workspace: Workspace, until_at: datetime) -> QuerySet[Subscription]:
    late = UsageRecord.objects.filter(
        workspace=workspace, line__subscription=OuterRef("pk"), is_late=True, pk__gt=F("line__cutoff")
    )
    changed = Exists(late) | has_changed_events(workspace)
    ended_with_changes = Q(next_close_at=None) & changed
    return Subscription.objects.filter(Q(next_close_at__lte=until_at) | ended_with_changes, workspace=workspace)


def still_parked(*, workspace_id: int) -> QuerySet[CloseItem]:
    """Return the items of a workspace that were parked and not closed since; a person's next close retries them.

    An ended subscription with closed periods was parked with differences, which remain until they are billed.
    """
    effective = CloseItem.objects.filter(workspace_id=workspace_id).exclude(run__state=CloseRun.State.DISCARDED)
    later = effective.filter(subscription=OuterRef("subscription"), pk__gt=OuterRef("pk"))
    is_open = Q(subscription__next_close_at__lte=F("run__until_at")) | Q(
        subscription__next_close_at=None, subscription__open_from_at__gt=F("subscription__starts_at")
    )
    return effective.filter(is_open, ~Exists(later), state=CloseItem.State.PARKED)


def close_due(*, actor: Actor, as_of: datetime, hand_over: Callable[[CloseRun], None] | None = None) -> list[CloseRun]:
    """Create a run in each workspace that closes automatically and has periods that ended before its delay.

    Each run is passed on as soon as it is created. If that fails in one workspace, the error is logged and the others
    continue; only outages of the database (see ``Outage.is_passing``) are raised.
    """
    runs = []
    for workspace in Workspace.objects.exclude(closing=Workspace.Closing.MANUAL).order_by("pk"):
        run = _open_automatically(workspace, actor, as_of)
        if run is not None:
            runs.append(run)
            if hand_over is not None:
                hand_over(run)
    return runs


def _open_automatically(workspace: Workspace, actor: Actor, as_of: datetime) -> CloseRun | None:
    try:
        return start_in_job(
            workspace=workspace,
            until_at=as_of - timedelta(hours=workspace.closing_delay_hours),
            actor=actor,
            as_of=as_of,
            automatic=True,
            issues_itself=workspace.closing == Workspace.Closing.ISSUE,
        )
    except NothingToClose:
        return None
    except Exception as error:  # an error of one workspace must not stop the others
        outage = outage_of(error)
        if outage is not None and outage.is_passing:
            raise
        logger.exception("No run could be created for %s", workspace)
        return None


def at_work() -> QuerySet[CloseRun]:
    """Return the runs of all workspaces that workers have to continue, in order.

    All others wait for a person or are finished.
    """
    issues_itself = Q(state=CloseRun.State.REVIEW, issues_itself=True)
    return CloseRun.objects.filter(Q(state__in=CloseRun.ACTIVE) | issues_itself).order_by("pk")


def stalled(*, as_of: datetime) -> list[CloseRun]:
    """Return the runs at work whose heartbeat stopped, each to one caller only, who has to enqueue it."""
    return take_up_silent(at_work(), as_of=as_of)
