"""Each state of a run, and who takes it up when the process that was at it is gone."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from psycopg import errors

from billing import invoicing
from billing.models import CloseItem, CloseRun, Invoice, NumberSeries, PriceTier
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.failures import raised
from tests.scenarios.closing import all_replay_identically, close, issue, totals
from tests.usage.closing.deaths import Killed, killed_at, sweep
from tests.usage.dialects.native.client import Native
from usage import closing

pytestmark = pytest.mark.django_db

FEBRUARY = make.moment("2026-02-01")
HOUR = timedelta(hours=1)

# (state, issues itself) -> who takes it up.
TAKEN_UP_BY = {
    (CloseRun.State.COMPUTING, False): "the sweep",
    (CloseRun.State.COMPUTING, True): "the sweep",
    (CloseRun.State.REVIEW, False): "a person",
    (CloseRun.State.REVIEW, True): "the sweep",
    (CloseRun.State.ISSUING, False): "the sweep",
    (CloseRun.State.ISSUING, True): "the sweep",
    (CloseRun.State.ISSUED, False): "nobody",
    (CloseRun.State.ISSUED, True): "nobody",
    (CloseRun.State.DISCARDED, False): "nobody",
    (CloseRun.State.DISCARDED, True): "nobody",
}


def test_every_state_is_in_the_table():
    assert set(TAKEN_UP_BY) == {(state, wish) for state in CloseRun.State for wish in (False, True)}


@pytest.mark.parametrize(("state", "issues_itself"), TAKEN_UP_BY)
def test_the_sweep_takes_up_what_no_person_has_to(state, issues_itself):
    line = make.line()
    make.use(line, "10", "2026-01-10")
    run = closing.start(
        workspace=line.workspace,
        until_at=FEBRUARY,
        actor=make.actor("finance"),
        as_of=FEBRUARY,
        issues_itself=issues_itself,
    )
    if state != CloseRun.State.COMPUTING:
        CloseRun.objects.update(issues_itself=False)
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, actor=make.ACTOR)
        CloseRun.objects.update(state=state, issues_itself=issues_itself)

    taken = closing.stalled(as_of=FEBRUARY + HOUR)

    assert taken == ([run] if TAKEN_UP_BY[state, issues_itself] == "the sweep" else [])
    for found in taken:
        after = closing.work(
            workspace_id=found.workspace_id, run_id=found.pk, clock=lambda: FEBRUARY + HOUR, actor=make.ACTOR
        )
        ends_in_review = state == CloseRun.State.COMPUTING and not issues_itself
        assert after.state == (CloseRun.State.REVIEW if ends_in_review else CloseRun.State.ISSUED)


@pytest.mark.parametrize("closing_mode", ["issue", "drafts"])
def test_a_close_that_dies_at_any_statement_ends_as_one_that_does_not(closing_mode, settings):
    settings.CLOSE_BATCH = 2
    survived, statement = False, 0
    while not survived:
        statement += 1
        owner = make.workspace(f"w{statement}", closing=closing_mode, closing_delay_hours=0)
        for number in range(3):
            make.use(make.line(owner), str(number + 1), "2026-01-10")

        with killed_at(statement) as reached:
            sweep(FEBRUARY)
        survived = len(reached) < statement
        sweep(FEBRUARY + HOUR)

        run = CloseRun.objects.get(workspace=owner)
        assert run.state == {"issue": CloseRun.State.ISSUED, "drafts": CloseRun.State.REVIEW}[closing_mode], reached
        if closing_mode == "drafts":
            issue(run)
        assert sorted(totals(owner)) == ["2.00", "4.00", "6.00"]
        numbers = sorted(owner.invoices.values_list("number", flat=True))
        assert numbers == ["INV-000001", "INV-000002", "INV-000003"]
        assert not CloseItem.objects.filter(workspace=owner, holds_subscription=True).exists()
        assert all_replay_identically(owner)
        owner.closing = "manual"
        owner.save()
    assert statement > 12, "too few statements were reached: this test proves nothing"


def test_an_approval_and_a_discard_that_die_are_whole_or_not_at_all():
    for decide in (invoicing.approve, invoicing.discard):
        survived, statement = False, 0
        while not survived:
            statement += 1
            line = make.line(make.workspace(f"{decide.__name__}{statement}"))
            make.use(line, "1", "2026-01-10")
            run = close(line.workspace, "2026-02-01")

            with killed_at(statement) as reached:
                decide(run=run, actor=make.actor("finance"), as_of=FEBRUARY)
            survived = len(reached) < statement
            sweep(FEBRUARY + HOUR)

            run.refresh_from_db()
            if run.state == CloseRun.State.REVIEW:
                issue(run)
            elif run.state == CloseRun.State.DISCARDED:
                issue(close(line.workspace, "2026-02-01"))
            assert totals(line.workspace) == ["2.00"]
            assert not CloseItem.objects.filter(workspace=line.workspace, holds_subscription=True).exists()


def test_a_run_with_nothing_to_review_is_over():
    # A late record of an ended subscription whose tier is free: nothing comes of it.
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    line = make.line(owner, model="graduated", tiers=[("10", "0", "0"), (None, "1", "0")], ends_on=date(2026, 2, 1))
    sweep(FEBRUARY)
    issue(CloseRun.objects.get())
    make.use(line, "2", "2026-01-20", recorded_at="2026-04-01")

    sweep(make.moment("2026-04-01"))

    assert [(run.state, run.invoices.count()) for run in CloseRun.objects.order_by("pk")] == [
        (CloseRun.State.ISSUED, 1),
        (CloseRun.State.ISSUED, 0),
    ]
    sweep(make.moment("2026-04-02"))
    assert CloseRun.objects.count() == 2


@pytest.mark.parametrize("batch", [1, 3])
def test_no_run_is_opened_over_what_another_has_pending(batch, settings):
    settings.CLOSE_BATCH = batch
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    for _ in range(4):
        make.use(make.line(owner), "5", "2026-01-10")
    (run,) = closing.close_due(as_of=FEBRUARY, actor=make.ACTOR)

    def five_minutes_later():
        # Each batch takes so long that the schedule has its turn before the next.
        nonlocal now
        now += timedelta(minutes=5)
        assert closing.close_due(as_of=now, actor=make.ACTOR) == []
        return now

    now = FEBRUARY
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=five_minutes_later, actor=make.ACTOR)

    assert CloseRun.objects.get().state == CloseRun.State.REVIEW
    assert Invoice.objects.count() == 4


def test_drafts_to_review_hold_the_next_month_until_they_are_issued():
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    line = make.line(owner)
    make.use(line, "5", "2026-01-10")
    make.use(line, "6", "2026-02-10")
    sweep(FEBRUARY)
    january = CloseRun.objects.get()
    sweep(make.moment("2026-03-01"))
    assert CloseRun.objects.get() == january

    issue(january)
    sweep(make.moment("2026-03-01 00:05"))

    assert totals(owner) == ["10.00", "12.00"]


def test_parked_differences_are_left_to_a_person_and_tried_once():
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    line = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")], ends_on=date(2026, 2, 1))
    make.use(line, "5", "2026-01-10")
    sweep(FEBRUARY)
    issue(CloseRun.objects.get())
    PriceTier.objects.filter(price=line.price, up_to=None).delete()
    make.use(line, "1", "2026-01-11", recorded_at="2026-02-02")
    march = make.moment("2026-03-01")

    for turn in range(3):
        sweep(march + timedelta(minutes=5 * turn))

    assert CloseRun.objects.count() == 2
    assert [item.subscription_id for item in closing.still_parked(workspace_id=line.workspace_id)] == [
        line.subscription_id
    ]
    PriceTier.objects.create(workspace=owner, price=line.price, up_to=None, unit_price=1)
    issue(close(owner, "2026-03-01"))
    assert totals(owner) == ["10.00", "2.00"]
    assert not closing.still_parked(workspace_id=line.workspace_id).exists()


def test_a_run_is_discarded_before_anything_of_it_is_drafted():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    run = closing.start(workspace=line.workspace, until_at=FEBRUARY, actor=make.actor("finance"), as_of=FEBRUARY)

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=FEBRUARY)
    issue(close(line.workspace, "2026-02-01"))

    assert totals(line.workspace) == ["2.00"]


def test_what_was_parked_in_a_discarded_run_is_tried_again():
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    line = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(price=line.price, up_to=None).delete()
    sweep(FEBRUARY)
    invoicing.discard(run=CloseRun.objects.get(), actor=make.actor("finance"), as_of=FEBRUARY)
    PriceTier.objects.create(workspace=owner, price=line.price, up_to=None, unit_price=1)

    sweep(FEBRUARY + HOUR)

    assert [run.state for run in CloseRun.objects.order_by("pk")] == [CloseRun.State.DISCARDED, CloseRun.State.REVIEW]
    assert totals(owner) == ["0.00"]


def die() -> None:
    raise Killed


def failing_at(statement, error, parameter=None):
    """Fail with an error wherever a statement that begins so is reached, with a first parameter if one is given."""

    def intercept(execute, sql, parameters, *rest):
        if sql.lstrip().startswith(statement) and parameter in (None, *(parameters or ())[:1]):
            raise error
        return execute(sql, parameters, *rest)

    return connection.execute_wrapper(intercept)


INTO_RUN = "INSERT INTO billing_closeitem"


def test_a_run_that_fails_to_issue_keeps_the_reason_until_it_goes_on():
    # The series has gone back to 1, which January's invoice has: February's can't get a number.
    owner = make.workspace(closing="issue", closing_delay_hours=0)
    line = make.line(owner)
    make.use(line, "5", "2026-01-10")
    make.use(line, "6", "2026-02-10")
    sweep(FEBRUARY)
    series = NumberSeries.objects.filter(workspace=owner, kind=Invoice.Kind.INVOICE)
    series.update(next_sequence=1)
    march = make.moment("2026-03-01")

    for turn in range(2):
        sweep(march + turn * HOUR)

    run = CloseRun.objects.latest("pk")
    assert (run.state, run.problem.partition(":")[0]) == (CloseRun.State.ISSUING, "IntegrityError")
    assert list(owner.invoices.order_by("pk").values_list("number", flat=True)) == ["INV-000001", None]
    assert series.get().next_sequence == 1
    assert Native(owner).get(f"close-runs/{run.pk}/").json()["problem"] == run.problem
    page = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()
    assert "data-problem" in page
    assert "IntegrityError" in page

    series.update(next_sequence=2)
    sweep(march + 2 * HOUR)

    run.refresh_from_db()
    assert (run.state, run.problem) == (CloseRun.State.ISSUED, "")
    assert list(owner.invoices.order_by("pk").values_list("number", flat=True)) == ["INV-000001", "INV-000002"]
    assert all_replay_identically(owner)


def test_an_outage_while_issuing_is_no_problem_of_the_run():
    line = make.line()
    make.use(line, "5", "2026-01-10")
    run = close(line.workspace, "2026-02-01")
    invoicing.approve(run=run, actor=make.actor("finance"), as_of=FEBRUARY)

    with failing_at("UPDATE billing_invoice SET", raised(errors.AdminShutdown("..."))), pytest.raises(OperationalError):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, actor=make.ACTOR)

    run.refresh_from_db()
    assert (run.state, run.problem) == (CloseRun.State.ISSUING, "")


def test_a_workspace_that_fails_does_not_keep_others_from_being_closed():
    owners = [make.workspace(f"w{n}", closing="drafts", closing_delay_hours=0) for n in range(3)]
    for owner in owners:
        make.use(make.line(owner), "5", "2026-01-10")
    opened: list[CloseRun] = []

    with failing_at(INTO_RUN, raised(errors.QueryCanceled("...")), owners[1].pk):
        runs = closing.close_due(as_of=FEBRUARY, hand_over=opened.append, actor=make.ACTOR)

    assert [run.workspace_id for run in runs] == [owners[0].pk, owners[2].pk]
    assert opened == runs
    assert list(CloseRun.objects.order_by("pk")) == runs


def test_what_was_opened_before_an_outage_is_handed_over():
    owners = [make.workspace(f"w{n}", closing="drafts", closing_delay_hours=0) for n in range(2)]
    for owner in owners:
        make.use(make.line(owner), "5", "2026-01-10")
    opened: list[CloseRun] = []

    with failing_at(INTO_RUN, raised(errors.AdminShutdown("...")), owners[1].pk), pytest.raises(OperationalError):
        closing.close_due(as_of=FEBRUARY, hand_over=opened.append, actor=make.ACTOR)

    assert [run.workspace_id for run in opened] == [owners[0].pk]


def test_two_runs_never_wait_for_each_other():
    # X has ended and is closed whole (20.00); Y is monthly from February on.
    owner = make.workspace()
    x = make.line(owner, id=UUID(int=1), ends_on=date(2026, 2, 1))
    y = make.line(owner, id=UUID(int=2), starts_on=date(2026, 2, 1))
    make.use(x, "10", "2026-01-05")
    issue(close(owner, "2026-02-01"))
    make.use(y, "3", "2026-02-10")
    make.use(y, "4", "2026-03-10")
    make.use(x, "1", "2026-01-06")
    march, april = make.moment("2026-03-01"), make.moment("2026-04-01")
    a = closing.start(workspace=owner, until_at=april, actor=make.actor("a"), as_of=april)
    with pytest.raises(Killed):
        # Its worker dies after X's difference of 2.00; Y's periods are pending still.
        closing.work(workspace_id=owner.pk, run_id=a.pk, clock=die, batch=1, actor=make.ACTOR)
    assert totals(owner) == ["20.00", "2.00"]
    make.use(x, "2", "2026-01-07")

    with pytest.raises(closing.NothingToClose) as refused:
        closing.start(workspace=owner, until_at=march, actor=make.actor("b"), as_of=april)

    assert refused.value.left_to == (a,)
    closing.work(workspace_id=owner.pk, run_id=a.pk, clock=lambda: april, actor=make.ACTOR)
    issue(a, "2026-04-01")
    issue(close(owner, "2026-04-02"), "2026-04-02")
    # Y: 3 and 4 at 2.00; X's second difference, of 2 at 2.00, comes by itself.
    assert totals(owner) == ["20.00", "2.00", "6.00", "8.00", "4.00"]
    assert all_replay_identically(owner)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite stops no statement")
def test_a_person_who_waits_is_given_a_requests_time_and_a_job_a_closes():
    line = make.line(make.workspace(closing="drafts", closing_delay_hours=0))
    make.use(line, "1", "2026-01-10")
    asked = {"workspace": line.workspace, "until_at": FEBRUARY, "actor": make.actor("finance"), "as_of": FEBRUARY}

    with CaptureQueriesContext(connection) as asking:
        invoicing.discard(run=closing.start(**asked), actor=make.actor("finance"), as_of=FEBRUARY)
    with CaptureQueriesContext(connection) as scheduled:
        closing.close_due(as_of=FEBRUARY, actor=make.ACTOR)

    def raises_the_limit(captured):
        return any("statement_timeout" in query["sql"] for query in captured)

    assert (raises_the_limit(asking), raises_the_limit(scheduled)) == (False, True)
