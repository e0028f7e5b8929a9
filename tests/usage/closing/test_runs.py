from datetime import timedelta

import pytest

from billing import invoicing
from billing.models import CloseRun, PriceTier
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue, issue, totals
from usage import closing

pytestmark = pytest.mark.django_db


def test_only_periods_that_are_over_are_closed():
    line = make.line()
    with pytest.raises(closing.NothingToClose):
        closing.start(
            workspace=line.workspace,
            until_at=make.moment("2026-06-01"),
            actor=make.actor("finance"),
            as_of=make.moment("2026-01-31 23:59:59"),
        )


def test_a_run_that_comes_second_does_not_pass_over_late_usage():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    february = make.moment("2026-02-01")
    first = closing.start(workspace=line.workspace, until_at=february, actor=make.actor("finance"), as_of=february)
    with pytest.raises(closing.NothingToClose, match=rf"are in {first} \(computing drafts\)") as refused:
        closing.start(workspace=line.workspace, until_at=february, actor=make.actor("finance"), as_of=february)
    assert refused.value.left_to == (first,)
    closing.work(workspace_id=first.workspace_id, run_id=first.pk, clock=lambda: february, actor=make.ACTOR)
    make.use(line, "1", "2026-01-06")

    with pytest.raises(closing.NothingToClose):
        closing.start(workspace=line.workspace, until_at=february, actor=make.actor("finance"), as_of=february)
    issue(first)
    close_and_issue(line.workspace, "2026-03-01")

    assert totals(line.workspace) == ["20.00", "2.00"]


def test_what_is_drafted_in_one_run_is_left_alone_by_another():
    line = make.line()
    january = close(line.workspace, "2026-02-01")

    with pytest.raises(closing.NothingToClose, match=rf"are in {january} \(drafts to review\)"):
        close(line.workspace, "2026-03-01")
    other = make.line(line.workspace)
    february = close(line.workspace, "2026-03-01")
    issue(january)

    assert set(february.items.values_list("subscription", flat=True)) == {other.subscription_id}
    assert set(close(line.workspace, "2026-03-01").items.values_list("subscription", flat=True)) == {
        line.subscription_id
    }
    with pytest.raises(invoicing.UnableToDiscard, match="issued"):
        invoicing.discard(run=january, actor=make.actor("finance"), as_of=make.moment("2026-03-01"))
    with pytest.raises(invoicing.UnableToIssue, match="not waiting for review"):
        invoicing.approve(run=january, actor=make.actor("finance"), as_of=make.moment("2026-03-01"))


@pytest.mark.parametrize(
    ("mode", "states"), [("manual", []), ("drafts", [CloseRun.State.REVIEW]), ("issue", [CloseRun.State.ISSUED])]
)
def test_automatic_closing_is_the_workspaces_choice(mode, states):
    line = make.line(make.workspace(closing=mode, closing_delay_hours=2))
    make.use(line, "10", "2026-01-10")

    early = closing.close_due(as_of=make.moment("2026-02-01 01:59"), actor=make.ACTOR)
    runs = closing.close_due(as_of=make.moment("2026-02-01 02:00"), actor=make.ACTOR)
    for run in runs:
        closing.work(
            workspace_id=run.workspace_id,
            run_id=run.pk,
            clock=lambda: make.moment("2026-02-01 02:00"),
            actor=make.ACTOR,
        )

    assert early == []
    assert [run.state for run in CloseRun.objects.all()] == states
    assert closing.close_due(as_of=make.moment("2026-02-01 02:05"), actor=make.ACTOR) == []


def test_automatic_closing_does_not_try_a_parked_subscription_again_and_again():
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    broken = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(price=broken.price, up_to=None).delete()
    now = make.moment("2026-02-01")

    for run in closing.close_due(as_of=now, actor=make.ACTOR):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: now, actor=make.ACTOR)

    assert closing.close_due(as_of=now + timedelta(minutes=5), actor=make.ACTOR) == []
    assert close(owner, "2026-02-02").items.count() == 1


def test_a_run_whose_heartbeat_stopped_is_taken_up_once(settings):
    line = make.line()
    started = make.moment("2026-02-01")
    run = closing.start(workspace=line.workspace, until_at=started, actor=make.actor("finance"), as_of=started)
    limit = started + timedelta(seconds=settings.CLOSE_HEARTBEAT_SECONDS)

    assert closing.stalled(as_of=limit) == []
    assert closing.stalled(as_of=limit + timedelta(seconds=1)) == [run]
    assert closing.stalled(as_of=limit + timedelta(seconds=2)) == []
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: limit, actor=make.ACTOR)
    assert closing.stalled(as_of=limit + timedelta(days=1)) == []
