"""Concurrent closers, as people and programs may be."""

from datetime import datetime

from billing.models import CloseRun, Workspace
from tests.concurrency.processes import wait_for
from tests.factories import ACTOR, actor
from tests.scenarios.closing import issue
from usage import closing


def close_beside_others(workspace: Workspace, at: datetime) -> None:
    """Close and issue in small batches. Any closer after the first joins its run as a further worker."""
    try:
        run = closing.start(workspace=workspace, until_at=at, actor=actor("finance"), as_of=at)
    except closing.NothingToClose as nothing:
        for run in nothing.left_to:
            closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: at, batch=2, actor=ACTOR)
        return
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: at, batch=2, actor=ACTOR)
    wait_for(lambda: CloseRun.objects.filter(pk=run.pk, state=CloseRun.State.REVIEW).exists())
    issue(run)
