"""Close without interaction, for a timer's command: finish a workspace's earlier runs, then close what is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from billing.actors import Actor
from billing.models import CloseItem, CloseRun, Workspace
from billing.storage import timeouts
from billing.tenancy.keys import of_workspaces
from usage.closing.runs import NothingToClose, at_work, drafted_in, left_to, start_in_job
from usage.closing.work import work


@dataclass(frozen=True, slots=True)
class Closed:
    """The processed runs in order, and the earlier runs that hold subscriptions to be closed.

    ``drafted_in``: if there was nothing to do, the runs that have drafts of the periods to be closed.
    """

    runs: tuple[CloseRun, ...]
    left_to: tuple[CloseRun, ...]
    drafted_in: tuple[CloseRun, ...] = ()

    @property
    def waits_for_a_person(self) -> bool:
        """Tell whether a person has to act: something is parked, a run fails, or drafts wait for a review."""
        wanted = any(run.state == CloseRun.State.REVIEW and run.issues_itself for run in self.runs)
        reviews = any(run.state == CloseRun.State.REVIEW for run in self.left_to)
        fails = any(run.problem for run in (*self.runs, *self.left_to))
        return fails or wanted or reviews or parked_in(self.runs).filter(is_passing=False).exists()

    @property
    def is_at_work(self) -> bool:
        """Tell whether other workers still process the rest, without a person."""
        at_work = any(run.state in CloseRun.ACTIVE for run in (*self.runs, *self.left_to))
        return at_work or parked_in(self.runs).filter(is_passing=True).exists()


def parked_in(runs: tuple[CloseRun, ...]) -> QuerySet[CloseItem]:
    """Return the parked items of these runs, in order."""
    parked = CloseItem.objects.filter(state=CloseItem.State.PARKED, **of_workspaces(runs))
    return parked.filter(run__in=runs).order_by("pk") if runs else parked.none()


def close_now(
    *, workspace: Workspace, until_at: datetime, actor: Actor, clock: Callable[[], datetime], issues_itself: bool
) -> Closed:
    """Finish the workspace's runs at work, then close the periods that end by ``until_at``, in this process.

    May be called again at any time: an interrupted run continues where it stopped. ``issues_itself`` is stored with the
    new run: the worker that completes its drafts issues them.
    """
    runs = [
        work(workspace_id=workspace.pk, run_id=run.pk, actor=actor, clock=clock)
        for run in at_work().filter(workspace=workspace)
    ]
    run = _started(workspace, until_at, actor, clock(), issues_itself)
    if run:
        runs.append(work(workspace_id=workspace.pk, run_id=run.pk, actor=actor, clock=clock))
    return _closed(workspace, min(until_at, clock()), runs, run, issues_itself)


def close_by_workers(
    *, workspace: Workspace, until_at: datetime, actor: Actor, as_of: datetime, issues_itself: bool
) -> Closed:
    """Start a run and return it after those at work; the caller has to enqueue them all."""
    runs = list(at_work().filter(workspace=workspace))
    run = _started(workspace, until_at, actor, as_of, issues_itself)
    if run:
        runs.append(run)
    return _closed(workspace, min(until_at, as_of), runs, run, issues_itself)


def _started(
    workspace: Workspace, until_at: datetime, actor: Actor, as_of: datetime, issues_itself: bool
) -> CloseRun | None:
    try:
        return start_in_job(
            workspace=workspace, until_at=until_at, actor=actor, as_of=as_of, issues_itself=issues_itself
        )
    except NothingToClose:
        return None


def _closed(
    workspace: Workspace, until_at: datetime, runs: list[CloseRun], started: CloseRun | None, issues_itself: bool
) -> Closed:
    with timeouts.reading(settings.CLOSE_STATEMENT_SECONDS):
        in_the_way = set(left_to(workspace=workspace, until_at=until_at))
    if issues_itself:
        in_the_way |= set(workspace.close_runs.filter(state=CloseRun.State.REVIEW, until_at__lte=until_at))
    others = in_the_way - {started}
    left = tuple(sorted(others, key=lambda run: run.pk))
    drafted = () if runs or left else tuple(drafted_in(workspace=workspace, until_at=until_at))
    return Closed(runs=tuple(runs), left_to=left, drafted_in=drafted)
