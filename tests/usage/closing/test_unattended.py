from datetime import timedelta

import pytest

from billing.models import CloseRun, PriceTier
from tests import factories as make
from tests.scenarios.closing import close, totals
from usage import closing

pytestmark = pytest.mark.django_db

FEBRUARY, MARCH = make.moment("2026-02-01"), make.moment("2026-03-01")


def close_now(workspace, until_at=FEBRUARY, *, issues_itself=False):
    return closing.close_now(
        workspace=workspace,
        until_at=until_at,
        actor=make.actor("timer"),
        clock=lambda: until_at,
        issues_itself=issues_itself,
    )


def used():
    line = make.line()
    make.use(line, "3", "2026-01-10")
    return line


@pytest.mark.parametrize(("issues_itself", "state"), [(False, CloseRun.State.REVIEW), (True, CloseRun.State.ISSUED)])
def test_what_is_due_is_closed_here_and_now(issues_itself, state):
    line = used()

    closed = close_now(line.workspace, issues_itself=issues_itself)

    assert [run.state for run in closed.runs] == [state]
    assert (closed.left_to, closed.drafted_in) == ((), ())
    assert not closed.waits_for_a_person
    assert not closed.is_at_work
    assert totals(line.workspace) == ["6.00"]


def test_an_interrupted_run_is_finished_before_a_further_one():
    line = used()
    started = closing.start(workspace=line.workspace, until_at=FEBRUARY, actor=make.actor("finance"), as_of=FEBRUARY)
    other = make.line(line.workspace)
    make.use(other, "1", "2026-01-10")

    closed = close_now(line.workspace)

    assert [run.started_by for run in closed.runs] == ["finance", "timer"]
    assert closed.runs[0] == started
    assert totals(line.workspace) == ["6.00", "2.00"]


def test_drafts_that_hold_what_is_due_wait_for_a_person():
    line = used()
    january = close(line.workspace, "2026-02-01")

    closed = close_now(line.workspace, MARCH)

    assert (closed.runs, closed.left_to) == ((), (january,))
    assert closed.waits_for_a_person
    assert not closed.is_at_work


def test_where_nothing_is_left_to_do_the_runs_that_have_it_are_named():
    line = used()
    january = close(line.workspace, "2026-02-01")

    closed = close_now(line.workspace)

    assert (closed.runs, closed.left_to, closed.drafted_in) == ((), (), (january,))


def test_what_is_parked_waits_for_a_person_and_what_others_work_on_does_not():
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(workspace=line.workspace, up_to=None).delete()

    closed = close_now(line.workspace)

    assert closed.waits_for_a_person
    assert [item.subscription_id for item in closing.parked_in(closed.runs)] == [line.subscription_id]
    assert not closing.parked_in(()).exists()


def test_runs_for_the_workers_are_started_and_returned_undone():
    line = used()
    asked = {"workspace": line.workspace, "until_at": FEBRUARY, "actor": make.actor("timer"), "issues_itself": True}

    first = closing.close_by_workers(**asked, as_of=FEBRUARY)
    again = closing.close_by_workers(**asked, as_of=FEBRUARY + timedelta(minutes=1))

    assert [run.state for run in first.runs] == [CloseRun.State.COMPUTING]
    assert again.runs == first.runs
    assert first.is_at_work
    assert totals(line.workspace) == []
