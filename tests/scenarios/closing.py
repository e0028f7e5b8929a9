"""Steps of the worked months."""

from billing import invoicing
from billing.models import CloseRun, Invoice, Workspace
from tests import factories as make
from usage import closing
from usage.replay import replay


def close(workspace: Workspace, until: str, *, tz: str = "UTC") -> CloseRun:
    """Compute the drafts of all periods that end by a local moment, at that moment."""
    at = make.moment(until, tz=tz)
    run = closing.start(workspace=workspace, until_at=at, actor=make.actor("finance"), as_of=at)
    return closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: at, actor=make.ACTOR)


def issue(run: CloseRun, at: str = "2030-01-01") -> CloseRun:
    moment = make.moment(at)
    invoicing.approve(run=run, actor=make.actor("finance"), as_of=moment)
    return closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: moment, actor=make.ACTOR)


def close_and_issue(workspace: Workspace, until: str, *, tz: str = "UTC") -> CloseRun:
    return issue(close(workspace, until, tz=tz), until)


def totals(workspace: Workspace) -> list[str]:
    """Return the totals of all invoices in order: '20.00', and '-4.00' for a credit note."""
    return [f"{invoice.total:.2f}" for invoice in workspace.invoices.order_by("id")]


def all_replay_identically(workspace: Workspace) -> bool:
    issued = workspace.invoices.filter(state=Invoice.State.ISSUED)
    return all(replay(invoice=invoice).is_identical for invoice in issued)
