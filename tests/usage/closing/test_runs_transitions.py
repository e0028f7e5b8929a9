"""Each action on a run in each of its states: the transition of the table, or none."""

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from billing import invoicing
from billing.close_states import APPROVE, DISCARD, DRAFT, FINISH
from billing.models import (
    BillingPeriod,
    Change,
    CloseItem,
    CloseRun,
    Invoice,
    InvoiceLine,
    Line,
    NumberSeries,
    Subscription,
    Workspace,
)
from tests import factories as make
from tests.scenarios.closing import all_replay_identically
from usage import closing

pytestmark = pytest.mark.django_db

FEBRUARY = make.moment("2026-02-01")
TABLES: tuple[Any, ...] = (
    BillingPeriod,
    Change,
    CloseItem,
    CloseRun,
    Invoice,
    InvoiceLine,
    Line,
    NumberSeries,
    Subscription,
)


def work(run: CloseRun) -> None:
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, actor=make.ACTOR)


def approve(run: CloseRun) -> None:
    invoicing.approve(run=run, actor=make.actor("finance"), as_of=FEBRUARY)


def issue(run: CloseRun) -> None:
    while invoicing.issue_next(run=run, as_of=FEBRUARY):
        pass


def discard(run: CloseRun) -> None:
    invoicing.discard(run=run, actor=make.actor("finance"), as_of=FEBRUARY)


# Each way that a run is moved, with the transitions that it makes.
WAYS: dict[Callable[[CloseRun], None], tuple[Any, ...]] = {
    work: (DRAFT, FINISH),
    approve: (APPROVE,),
    issue: (FINISH,),
    discard: (DISCARD,),
}
# How a run comes to a state.
PATHS = {
    CloseRun.State.COMPUTING: (),
    CloseRun.State.REVIEW: (work,),
    CloseRun.State.ISSUING: (work, approve),
    CloseRun.State.ISSUED: (work, approve, issue),
    CloseRun.State.DISCARDED: (work, discard),
}


def run_in(state: str) -> CloseRun:
    owner = make.workspace()
    for _ in range(3):
        make.use(make.line(owner), "3", "2026-01-10")
    run = closing.start(workspace=owner, until_at=FEBRUARY, actor=make.actor("finance"), as_of=FEBRUARY)
    for step in PATHS[CloseRun.State(state)]:
        step(run)
    run.refresh_from_db()
    assert run.state == state
    return run


def snapshot() -> list[list[Any]]:
    return [list(table.objects.order_by("pk").values_list()) for table in TABLES]


@pytest.mark.parametrize(("state", "way"), [*product(CloseRun.State, WAYS)])
def test_a_run_goes_on_as_the_table_says_or_nothing_changes(state, way):
    run = run_in(state)
    targets = [transition.target for transition in WAYS[way] if transition.is_allowed_from(state)]
    before = snapshot()

    with suppress(*([] if targets else [invoicing.UnableToIssue, invoicing.UnableToDiscard])):
        way(run)

    run.refresh_from_db()
    assert run.state == (targets[0] if targets else state)
    if targets:
        assert holds_together(run)
    else:
        assert snapshot() == before


def holds_together(run: CloseRun) -> bool:
    """Tell whether items, periods, invoices and numbers are those of the run's state: none of them half."""
    items = [(item.state, item.holds_subscription) for item in run.items.all()]
    invoices = [(invoice.state, bool(invoice.number)) for invoice in run.invoices.all()]
    periods = run.periods.count()
    is_as_expected = (items, invoices, periods) == {
        CloseRun.State.REVIEW: ([("done", True)] * 3, [("draft", False)] * 3, 3),
        CloseRun.State.ISSUING: ([("done", True)] * 3, [("draft", False)] * 3, 3),
        CloseRun.State.ISSUED: ([("done", False)] * 3, [("issued", True)] * 3, 3),
        # What was not drafted yet is no longer asked for.
        CloseRun.State.DISCARDED: (([("done", False)] * 3) if run.items.exists() else [], [], 0),
    }[CloseRun.State(run.state)]
    return is_as_expected and all_replay_identically(run.workspace)


@pytest.mark.parametrize("way", [approve, discard])
def test_of_two_decisions_the_first_one_holds(way):
    run = run_in(CloseRun.State.REVIEW)
    same = CloseRun.objects.get()
    (approve if way is discard else discard)(run)
    before = snapshot()

    with pytest.raises((invoicing.UnableToIssue, invoicing.UnableToDiscard)):
        way(same)

    assert snapshot() == before


def test_only_a_worker_passes_a_run_over_its_review():
    owner = make.workspace()
    make.use(make.line(owner), "3", "2026-01-10")
    run = closing.start(
        workspace=owner, until_at=FEBRUARY, actor=make.actor("timer"), as_of=FEBRUARY, issues_itself=True
    )

    work(run)

    run.refresh_from_db()
    assert (run.state, run.decided_by) == (CloseRun.State.ISSUED, "timer")
    assert Workspace.objects.get(pk=owner.pk).invoices.get().state == Invoice.State.ISSUED
