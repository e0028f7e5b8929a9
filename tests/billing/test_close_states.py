"""The table of transitions: each state of runs and items against each transition and each maker."""

import re
from itertools import product

import pytest
from django.db.models import Q

from billing import close_states
from billing.close_states import OF_ITEMS, OF_RUNS, Maker, NotTheirTransition
from billing.models import CloseItem, CloseRun
from tests import factories as make

pytestmark = pytest.mark.django_db

FEBRUARY = make.moment("2026-02-01")
LATER = make.moment("2026-02-02")


def run_in(state: str) -> CloseRun:
    owner = make.workspace()
    problem = "It fails." if state in CloseRun.UNFINISHED else ""
    moments = {"until_at": FEBRUARY, "started_at": FEBRUARY, "heartbeat_at": FEBRUARY}
    return CloseRun.objects.create(workspace=owner, state=state, problem=problem, started_by="finance", **moments)


def item_in(state: str) -> CloseItem:
    run = run_in(CloseRun.State.COMPUTING)
    return CloseItem.objects.create(
        workspace=run.workspace,
        run=run,
        subscription=make.subscription(make.customer(run.workspace)),
        state=state,
        reason="It fails." if state == CloseItem.State.PARKED else "",
        holds_subscription=state != CloseItem.State.PARKED,
    )


@pytest.mark.parametrize(("state", "transition", "maker"), [*product(CloseRun.State, OF_RUNS, Maker)])
def test_a_run_makes_a_transition_whole_or_not_at_all(state, transition, maker):
    run = run_in(state)
    (before,) = CloseRun.objects.values()

    def move() -> bool:
        return close_states.move_run(run, transition, maker=maker, heartbeat_at=LATER)

    if maker not in transition.makers:
        with pytest.raises(NotTheirTransition, match=f"A {maker} may not make the transition “{transition.name}”."):
            move()
        assert CloseRun.objects.values().get() == before
    elif state not in transition.sources:
        assert not move()
        assert CloseRun.objects.values().get() == before
    else:
        assert move()
        changed = {"state": transition.target, "heartbeat_at": LATER, **transition.sets}
        assert CloseRun.objects.values().get() == before | changed
        # Whoever comes second finds it made.
        assert not move()
        assert CloseRun.objects.values().get() == before | changed


def test_a_run_that_does_not_meet_the_condition_stays_as_it_is():
    run = run_in(CloseRun.State.COMPUTING)

    unmet = Q(heartbeat_at__gt=LATER)

    assert not close_states.move_run(run, close_states.DRAFT, maker=Maker.WORKER, only=unmet)
    assert close_states.move_run(run, close_states.DRAFT, maker=Maker.WORKER, only=~unmet)


@pytest.mark.parametrize(("state", "transition", "maker"), [*product(CloseItem.State, OF_ITEMS, Maker)])
def test_an_item_makes_a_transition_whole_or_not_at_all(state, transition, maker):
    items = CloseItem.objects.filter(workspace_id=item_in(state).workspace_id)
    (before,) = items.values()
    values = {"reason": "It fails."} if transition is close_states.PARK else {}

    def move() -> int:
        return close_states.move_items(items, transition, maker=maker, **values)

    if maker not in transition.makers:
        with pytest.raises(NotTheirTransition):
            move()
        assert [*items.values()] == [before]
    elif state not in transition.sources:
        assert move() == 0
        assert [*items.values()] == [before]
    else:
        assert move() == 1
        changed = before | {"state": transition.target, **transition.sets, **values}
        assert [*items.values()] == ([] if transition.target is None else [changed])
        assert move() == 0


def test_the_table_in_words_is_the_one_in_code():
    rows = re.findall(r"^(\w+) {2,}([\w, ]+?) {2,}([\w()]+) {2,}([\w, ]+)$", close_states.__doc__ or "", re.MULTILINE)
    told = [row for row in rows if row[0] not in ("run", "item")]

    assert told == [
        (
            transition.name,
            ", ".join(state for state in (*CloseRun.State, *CloseItem.State) if state in transition.sources),
            transition.target or "(deleted)",
            ", ".join(maker for maker in Maker if maker in transition.makers),
        )
        for transition in (*OF_RUNS, *OF_ITEMS)
    ]


@pytest.mark.parametrize(
    ("states", "transitions", "ends"),
    [
        (CloseRun.State, OF_RUNS, {CloseRun.State.ISSUED, CloseRun.State.DISCARDED}),
        (CloseItem.State, OF_ITEMS, {CloseItem.State.DONE, CloseItem.State.PARKED}),
    ],
)
def test_every_state_is_reached_and_left_but_for_the_last_ones(states, transitions, ends):
    (first,) = set(states) - {transition.target for transition in transitions}
    left = {state for transition in transitions for state in transition.sources}

    assert first in (CloseRun.State.COMPUTING, CloseItem.State.PENDING)
    assert set(states) - left == ends


def test_subscriptions_are_released_to_other_runs():
    item = item_in(CloseItem.State.DONE)

    close_states.release_subscriptions(item.run)

    item.refresh_from_db()
    assert (item.state, item.holds_subscription) == (CloseItem.State.DONE, False)
