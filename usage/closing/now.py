"""What a timer's command does: close all that is due, and first what earlier runs of the workspace have left undone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from billing.models import CloseItem, CloseRun, Workspace
from billing.storage import timeouts
from billing.tenancy.keys import of_workspaces
from usage.closing.runs import NothingToClose, at_work, drafted_in, left_to, start_in_job
from usage.closing.work import work


@dataclass(frozen=True, slots=True)
class Closed:
    """The runs that were worked on, in order, and those from before that stand in the way of what was asked for.

    ``drafted_in``: where nothing was left to do, the runs that have drafts of what was asked for.
    """

    runs: tuple[CloseRun, ...]
    left_to: tuple[CloseRun, ...]
    drafted_in: tuple[CloseRun, ...] = ()

    @property
    def waits_for_a_person(self) -> bool:
        """Something is parked, a run fails, or drafts to review were to be issued or hold what was to be closed."""
        wanted = any(run.state == CloseRun.State.REVIEW and run.issues_itself for run in self.runs)
        reviews = any(run.state == CloseRun.State.REVIEW for run in self.left_to)
        fails = any(run.problem for run in (*self.runs, *self.left_to))
        return fails or wanted or reviews or parked_in(self.runs).filter(is_passing=False).exists()

    @property
    def is_at_work(self) -> bool:
        """Others are at it still: what is left gets done without a person."""
        at_work = any(run.state in CloseRun.ACTIVE for run in (*self.runs, *self.left_to))
        return at_work or parked_in(self.runs).filter(is_passing=True).exists()


def parked_in(runs: tuple[CloseRun, ...]) -> QuerySet[CloseItem]:
    """Return what these runs have parked, in order."""
    parked = CloseItem.objects.filter(state=CloseItem.State.PARKED, **of_workspaces(runs))
    return parked.filter(run__in=runs).order_by("pk") if runs else parked.none()


def close_now(
    *, workspace: Workspace, until_at: datetime, by: str, clock: Callable[[], datetime], issues_itself: bool
) -> Closed:
    """Take up the workspace's runs that have to go on, then close what is due by then, all of it here and now.

    May be called again at any time: what was interrupted goes on, what is done stays. ``issues_itself`` is kept with
    the new run, so that whoever finishes it issues it.
    """
    runs = [
        work(workspace_id=workspace.pk, run_id=run.pk, clock=clock) for run in at_work().filter(workspace=workspace)
    ]
    run = _started(workspace, until_at, by, clock(), issues_itself)
    if run:
        runs.append(work(workspace_id=workspace.pk, run_id=run.pk, clock=clock))
    return _closed(workspace, min(until_at, clock()), runs, run, issues_itself)


def close_by_workers(
    *, workspace: Workspace, until_at: datetime, by: str, as_of: datetime, issues_itself: bool
) -> Closed:
    """Start a run for the workers and return it, after those that have to go on: the caller hands them to the queue."""
    runs = list(at_work().filter(workspace=workspace))
    run = _started(workspace, until_at, by, as_of, issues_itself)
    if run:
        runs.append(run)
    return _closed(workspace, min(until_at, as_of), runs, run, issues_itself)


def _started(
    workspace: Workspace, until_at: datetime, by: str, as_of: datetime, issues_itself: bool
) -> CloseRun | None:
    try:
        return start_in_job(workspace=workspace, until_at=until_at, by=by, as_of=as_of, issues_itself=issues_itself)
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
