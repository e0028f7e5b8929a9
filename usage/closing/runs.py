"""Opening runs: by a person or the schedule; and finding those that nobody works on any more."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from billing import timeouts
from billing.models import CloseItem, CloseRun, Subscription, Workspace
from usage.changed import has_changed_events
from usage.models import Matching, UsageRecord


class NothingToClose(Exception):
    """No period of the workspace is over by then, and no ended subscription has differences."""


@transaction.atomic
def start(*, workspace: Workspace, until_at: datetime, by: str, as_of: datetime, automatic: bool = False) -> CloseRun:
    """Open a run over all periods of the workspace that end by ``until_at`` and are over; raise ``NothingToClose``.

    It computes nothing yet: ``work`` does. An automatic run leaves out what an earlier run has parked for that period,
    until a person closes it, and for the time being customers to whom events are still being given.
    """
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    until_at = min(until_at, as_of)
    due = _due(workspace, until_at)
    if automatic:
        parked = CloseItem.objects.filter(
            subscription=OuterRef("pk"),
            state=CloseItem.State.PARKED,
            is_passing=False,
            run__until_at__gte=OuterRef("next_close_at"),
        )
        matching = Matching.objects.filter(customer=OuterRef("customer"), state=Matching.State.MATCHING)
        due = due.exclude(Exists(parked)).exclude(Exists(matching))
    issues_itself = automatic and workspace.closing == Workspace.Closing.ISSUE
    run = CloseRun.objects.create(
        workspace=workspace,
        until_at=until_at,
        issues_itself=issues_itself,
        started_by=by,
        started_at=as_of,
        heartbeat_at=as_of,
    )
    if not _add_items(run, due):
        raise NothingToClose(
            f"No period of {workspace} has ended by {until_at.astimezone(workspace.tz):%Y-%m-%d %H:%M}."
        )
    return run


def _add_items(run: CloseRun, due: QuerySet[Subscription]) -> int:
    """Give the run an item per due subscription in one statement, without bringing their ids here and back."""
    found, parameters = due.values("pk").query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_closeitem (workspace_id, run_id, subscription_id, state, reason)"
            f" SELECT %s, %s, due.pk, 'pending', '' FROM ({found}) due ORDER BY due.pk",
            [run.workspace_id, run.pk, *parameters],
        )
        return cursor.rowcount


def _due(workspace: Workspace, until_at: datetime) -> QuerySet[Subscription]:
    late = UsageRecord.objects.filter(
        workspace=workspace, line__subscription=OuterRef("pk"), is_late=True, pk__gt=F("line__cutoff")
    )
    changed = Exists(late) | has_changed_events(workspace)
    ended_with_changes = Q(next_close_at=None) & changed
    return Subscription.objects.filter(Q(next_close_at__lte=until_at) | ended_with_changes, workspace=workspace)


def close_due(*, as_of: datetime) -> list[CloseRun]:
    """Open the runs of the workspaces that close automatically and have periods over since their delay."""
    runs = []
    for workspace in Workspace.objects.exclude(closing=Workspace.Closing.MANUAL).order_by("pk"):
        until_at = as_of - timedelta(hours=workspace.closing_delay_hours)
        try:
            runs.append(start(workspace=workspace, until_at=until_at, by="schedule", as_of=as_of, automatic=True))
        except NothingToClose:
            continue
    return runs


def stalled(*, as_of: datetime) -> list[CloseRun]:
    """Return the runs at work whose heartbeat stopped, each to one caller only: whoever gets a run takes it up."""
    limit = as_of - timedelta(seconds=settings.CLOSE_HEARTBEAT_SECONDS)
    silent = CloseRun.objects.filter(state__in=CloseRun.ACTIVE, heartbeat_at__lt=limit)
    return [
        run
        for run in silent.order_by("pk")
        if CloseRun.objects.filter(pk=run.pk, heartbeat_at=run.heartbeat_at).update(heartbeat_at=as_of)
    ]
