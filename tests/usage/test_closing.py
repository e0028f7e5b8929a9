import logging
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from psycopg import errors

from billing import contracts
from billing.invoicing import invoicing
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, InvoiceLine, Line, PriceTier, Subscription
from tests import factories as make
from tests.failures import raised
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, issue, totals
from usage import closing, ledger
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_only_periods_that_are_over_are_closed():
    line = make.line()
    with pytest.raises(closing.NothingToClose):
        closing.start(
            workspace=line.workspace,
            until_at=make.moment("2026-06-01"),
            by="finance",
            as_of=make.moment("2026-01-31 23:59:59"),
        )


def test_several_periods_behind_make_an_invoice_each():
    line = make.line()
    for month in (1, 2, 3):
        make.use(line, str(month), f"2026-0{month}-10")

    close_and_issue(line.workspace, "2026-04-01")

    assert totals(line.workspace) == ["2.00", "4.00", "6.00"]
    spans = [(row.starts_at, row.ends_at) for row in BillingPeriod.objects.order_by("starts_at")]
    assert spans == [(make.moment(f"2026-0{month}-01"), make.moment(f"2026-0{month + 1}-01")) for month in (1, 2, 3)]


def test_a_subscription_that_fails_is_parked_and_the_rest_go_on():
    owner = make.workspace()
    lines = [make.line(owner) for _ in range(5)]
    broken = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(price=broken.price, up_to=None).delete()
    for line in [*lines, broken]:
        make.use(line, "3", "2026-01-10")

    run = close(owner, "2026-02-01")

    parked = run.items.get(state=CloseItem.State.PARKED)
    assert parked.subscription_id == broken.subscription_id
    assert parked.reason == (
        f"The price “{broken.price}” is incomplete: tiers[0].up_to: the last tier must be open, without a bound."
    )
    assert totals(owner) == ["6.00"] * 5
    assert run.state == CloseRun.State.REVIEW

    PriceTier.objects.create(workspace=owner, price=broken.price, up_to=None, unit_price=1)
    assert close(owner, "2026-02-01").items.get().state == CloseItem.State.DONE
    assert totals(owner) == ["6.00"] * 6


def too_many_periods(line, settings):
    settings.CLOSE_MAX_PERIODS = 0


def incomplete(line, settings):
    PriceTier.objects.filter(price=line.price, up_to=None).delete()


def beyond_all_columns(line, settings):
    PriceTier.objects.update(unit_price=Decimal("999999999999999"))
    make.use(line, "999999999999999", "2026-01-10")


@pytest.mark.parametrize("spoil", [too_many_periods, incomplete, beyond_all_columns])
def test_what_can_be_expected_is_logged_in_a_line_and_told_without_the_name_of_a_class(settings, caplog, spoil):
    owner = make.workspace()
    lines = [make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")]) for _ in range(5)]
    spoil(lines[1], settings)

    run = close(owner, "2026-02-01")

    reasons = [item.reason for item in run.items.filter(state=CloseItem.State.PARKED)]
    assert reasons
    assert "Error:" not in reasons[0]
    assert [record.getMessage() for record in caplog.records] == [
        f"Subscription {item.subscription_id} of {run} is parked: {item.reason}"
        for item in run.items.filter(state=CloseItem.State.PARKED)
    ]
    assert not any(record.exc_info for record in caplog.records)


def test_what_nobody_expects_keeps_its_traceback_alone(caplog):
    owner = make.workspace()
    lines = [make.line(owner) for _ in range(5)]

    def fail(*_):
        raise KeyError("x")

    with when_locking(lines[2].subscription_id, fail):
        run = close(owner, "2026-02-01")

    assert run.items.get(state=CloseItem.State.PARKED).reason == "KeyError: 'x'"
    (record,) = caplog.records
    told = logging.Formatter().format(record)
    # Batches that were halved around it failed by the same.
    assert told.count("Traceback") == 1
    assert told.endswith("KeyError: 'x'")


def when_locking(subscription_id, then):
    """Have ``then`` called whenever a batch with that subscription begins."""

    def intercept(execute, sql, parameters, *rest):
        if "FOR UPDATE" in sql or "billing_subscription" in sql:
            wanted = {str(value).replace("-", "") for value in parameters or ()}
            if str(subscription_id).replace("-", "") in wanted:
                then(execute, *rest)
        return execute(sql, parameters, *rest)

    return connection.execute_wrapper(intercept)


def test_what_the_driver_can_not_even_send_is_parked_and_the_rest_go_on():
    owner = make.workspace()
    lines = [make.line(owner) for _ in range(5)]
    for line in lines:
        make.use(line, "3", "2026-01-10")

    def send_too_much(execute, many, context):
        statement, parameters = f"SELECT 1 WHERE 1 IN ({', '.join(['%s'] * 300_000)})", [1] * 300_000
        if connection.vendor != "postgresql":
            execute(statement, parameters, many, context)
        # By the driver's own cursor: ours would write them into the statement.
        with connection.wrap_database_errors:
            psycopg.Cursor(connection.connection).execute(statement, parameters)

    with when_locking(lines[2].subscription_id, send_too_much):
        run = close(owner, "2026-02-01")

    parked = run.items.get(state=CloseItem.State.PARKED)
    assert parked.subscription_id == lines[2].subscription_id
    assert parked.reason.startswith("OperationalError: ")
    assert (run.state, totals(owner)) == (CloseRun.State.REVIEW, ["6.00"] * 4)


@pytest.mark.parametrize(
    "refusal", [errors.AdminShutdown, errors.DeadlockDetected, errors.ReadOnlySqlTransaction, errors.DiskFull]
)
def test_what_lies_in_the_database_alone_parks_nobody(refusal):
    line = make.line()
    make.use(line, "3", "2026-01-10")

    def fail(*_):
        raise raised(refusal("..."))

    with when_locking(line.subscription_id, fail), pytest.raises(OperationalError):
        close(line.workspace, "2026-02-01")

    run = CloseRun.objects.get()
    assert (run.state, run.items.get().state) == (CloseRun.State.COMPUTING, CloseItem.State.PENDING)
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: make.moment("2026-02-01"))
    assert totals(line.workspace) == ["6.00"]


@pytest.mark.postgres
def test_what_takes_the_database_too_long_is_parked():
    owner = make.workspace()
    lines = [make.line(owner) for _ in range(3)]

    def sleep(execute, many, context):
        execute("SET LOCAL statement_timeout = '20ms'", None, many, context)
        execute("SELECT pg_sleep(5)", None, many, context)

    with when_locking(lines[1].subscription_id, sleep):
        run = close(owner, "2026-02-01")

    parked = run.items.get(state=CloseItem.State.PARKED)
    assert (parked.subscription_id, run.state) == (lines[1].subscription_id, CloseRun.State.REVIEW)
    assert parked.reason == "It takes the database longer than the statement of a close may, and was stopped."


def test_an_amount_that_no_column_holds_is_parked():
    line = make.line(unit_price="999999999999999")
    make.use(line, "999999999999999", "2026-01-10")

    run = close(line.workspace, "2026-02-01")

    assert [item.state for item in run.items.all()] == [CloseItem.State.PARKED]
    assert Invoice.objects.count() == BillingPeriod.objects.count() == 0


def test_a_run_that_comes_second_does_not_pass_over_late_usage():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    february = make.moment("2026-02-01")
    first = closing.start(workspace=line.workspace, until_at=february, by="finance", as_of=february)
    with pytest.raises(closing.NothingToClose, match=rf"left to {first} \(computing drafts\)") as refused:
        closing.start(workspace=line.workspace, until_at=february, by="finance", as_of=february)
    assert refused.value.left_to == (first,)
    closing.work(workspace_id=first.workspace_id, run_id=first.pk, clock=lambda: february)
    make.use(line, "1", "2026-01-06")

    with pytest.raises(closing.NothingToClose):
        closing.start(workspace=line.workspace, until_at=february, by="finance", as_of=february)
    issue(first)
    close_and_issue(line.workspace, "2026-03-01")

    assert totals(line.workspace) == ["20.00", "2.00"]


def test_discarded_drafts_are_computed_anew():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    before = (Subscription.objects.values().get(), Line.objects.values().get())
    run = close(line.workspace, "2026-02-01")
    make.use(line, "5", "2026-01-06", recorded_at="2026-02-01")

    invoicing.discard(run=run, by="finance", as_of=make.moment("2026-02-02"))

    assert (Subscription.objects.values().get(), Line.objects.values().get()) == before
    assert (Invoice.objects.count(), BillingPeriod.objects.count()) == (0, 0)
    run.refresh_from_db()
    assert (run.state, run.decided_by) == (CloseRun.State.DISCARDED, "finance")
    close_and_issue(line.workspace, "2026-02-01")
    assert totals(line.workspace) == ["30.00"]


def test_a_discarded_true_up_comes_again():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-06")
    invoicing.discard(run=close(line.workspace, "2026-03-01"), by="finance", as_of=make.moment("2026-03-01"))

    close_and_issue(line.workspace, "2026-03-01")

    assert totals(line.workspace) == ["20.00", "2.00"]
    assert all_replay_identically(line.workspace)


def test_what_is_drafted_in_one_run_is_left_alone_by_another():
    line = make.line()
    january = close(line.workspace, "2026-02-01")

    with pytest.raises(closing.NothingToClose, match=rf"left to {january} \(drafts to review\)"):
        close(line.workspace, "2026-03-01")
    other = make.line(line.workspace)
    february = close(line.workspace, "2026-03-01")
    issue(january)

    assert set(february.items.values_list("subscription", flat=True)) == {other.subscription_id}
    assert set(close(line.workspace, "2026-03-01").items.values_list("subscription", flat=True)) == {
        line.subscription_id
    }
    with pytest.raises(invoicing.UnableToDiscard, match="issued"):
        invoicing.discard(run=january, by="finance", as_of=make.moment("2026-03-01"))
    with pytest.raises(invoicing.UnableToIssue, match="not waiting for review"):
        invoicing.approve(run=january, by="finance", as_of=make.moment("2026-03-01"))


def test_drafts_of_two_runs_over_one_subscription_are_issued_and_discarded_in_order():
    line = make.line()
    january, february = drafts_of_two_runs(line)

    with pytest.raises(invoicing.UnableToIssue, match=f"issue or discard {january}"):
        invoicing.approve(run=february, by="finance", as_of=make.moment("2026-03-01"))
    with pytest.raises(invoicing.UnableToDiscard, match=f"discard {february} first"):
        invoicing.discard(run=january, by="finance", as_of=make.moment("2026-03-01"))

    issue(january)
    issue(february)


def drafts_of_two_runs(line: Line) -> tuple[CloseRun, CloseRun]:
    """As a database may have them from before runs held their subscriptions."""
    january = close(line.workspace, "2026-02-01")
    CloseItem.objects.update(holds_subscription=False)
    return january, close(line.workspace, "2026-03-01")


def test_differences_of_an_ended_subscription_come_on_an_invoice_of_their_own():
    line = make.line(ends_on=date(2026, 2, 1))
    record = make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    with pytest.raises(closing.NothingToClose):
        close(line.workspace, "2026-05-01")

    make.use(line, "2", "2026-01-20", recorded_at="2026-04-01")
    close_and_issue(line.workspace, "2026-05-01")
    make.take_back(record)
    close_and_issue(line.workspace, "2026-06-01")
    with pytest.raises(closing.NothingToClose):
        close(line.workspace, "2026-07-01")

    assert totals(line.workspace) == ["20.00", "4.00", "-20.00"]
    assert [invoice.period_id is None for invoice in Invoice.objects.order_by("id")] == [False, True, True]
    assert all_replay_identically(line.workspace)


def test_a_late_gauge_value_reaches_into_every_later_period():
    # A value of 1 from 1 January on; late, on 31 January, 3: 1 day of 2 more in January, 28 days of 2 more in February.
    line = make.line(aggregation="unit_days", unit_price="1")
    make.use(line, "1", "2026-01-01")
    close_and_issue(line.workspace, "2026-02-01")
    close_and_issue(line.workspace, "2026-03-01")
    make.use(line, "3", "2026-01-31", recorded_at="2026-03-05")

    close_and_issue(line.workspace, "2026-04-01")

    assert totals(line.workspace) == ["31.00", "28.00", "151.00"]
    last = Invoice.objects.order_by("id").last()
    assert [(row.kind, str(row.amount)) for row in last.lines.order_by("position")] == [
        ("usage", "93.0000"),
        ("true_up", "2.0000"),
        ("true_up", "56.0000"),
    ]
    assert all_replay_identically(line.workspace)


def test_a_price_change_in_the_middle_of_a_month_bills_each_part_at_its_price():
    line = make.line(unit_price="2")
    make.use(line, "10", "2026-01-10")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"))
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
    )
    make.use(dearer, "10", "2026-01-20")

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["50.00"]
    assert [(row.days, row.of_days) for row in InvoiceLine.objects.order_by("position")] == [(15, 31), (16, 31)]


def test_a_flat_price_is_prorated_by_the_days_covered():
    # 11 of January's 31 days of $31.
    line = make.line(
        aggregation="none", model="flat", unit_price="31", starts_on=date(2026, 1, 21), anchor_on=date(2026, 1, 1)
    )

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["11.00"]


def test_a_negative_quantity_is_rated_as_zero_and_named_as_a_surprise():
    line = make.line()
    make.use(line, "-5", "2026-01-10")

    close_and_issue(line.workspace, "2026-02-01")

    billed = InvoiceLine.objects.get()
    assert (billed.quantity, billed.amount, billed.surprise) == (-5, 0, "negative quantity rated as zero")
    assert billed.surprises == ["negative quantity rated as zero"]


def test_a_subscription_without_lines_is_closed_without_an_invoice():
    subscription = make.subscription(make.customer(make.workspace()))

    run = close(subscription.workspace, "2026-02-01")

    assert run.items.get().state == CloseItem.State.DONE
    assert (BillingPeriod.objects.count(), Invoice.objects.count()) == (1, 0)


def test_an_invoice_line_links_to_exactly_the_records_it_counted():
    line = make.line()
    counted = [make.use(line, "1", f"2026-01-{day}") for day in (10, 11)]
    make.take_back(make.use(line, "9", "2026-01-12"))
    make.use(line, "9", "2026-02-01")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(counted[0], "100")
    make.use(line, "9", "2026-01-13")

    billed = InvoiceLine.objects.get(kind="usage")

    records = UsageRecord.objects.counted_by(billed).order_by("id")
    assert [record.pk for record in records] == [record.id for record in counted]
    assert billed.record_count == len(records)
    assert billed.quantity == sum((record.quantity for record in records), Decimal(0))


def test_the_number_of_queries_does_not_grow_with_the_batch():
    counts = []
    for code, size in (("one", 1), ("many", 30)):
        owner = make.workspace(code)
        brick = make.brick(owner)
        price = make.price(brick, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
        for _ in range(size):
            subscription = make.subscription(make.customer(owner))
            line = contracts.add_line(subscription=subscription, brick=brick, price=price)
            make.use(line, "5", "2026-01-10")
        with CaptureQueriesContext(connection) as queries:
            close(owner, "2026-02-01")
        # On SQLite each row of an executemany counts as a query of its own.
        counts.append(len({query["sql"][:60] for query in queries}))

    assert counts[0] == counts[1]


def test_the_number_of_queries_does_not_grow_with_the_customers_whose_events_count():
    counts = []
    for code, size in (("one", 1), ("many", 30)):
        owner = make.workspace(code)
        brick = make.event_brick(owner, aggregation="sum", property="length")
        price = make.price(brick)
        for n in range(size):
            subscription = make.subscription(make.customer(owner, reference=f"C-{n}"))
            contracts.add_line(subscription=subscription, brick=brick, price=price)
            make.event(owner, f"C-{n}", "2026-01-10", length=5)
        close_and_issue(owner, "2026-02-01")
        for n in range(size):
            make.event(owner, f"C-{n}", "2026-01-11", length=5)
        with CaptureQueriesContext(connection) as queries:
            close(owner, "2026-03-01")
        counts.append(len({query["sql"][:60] for query in queries}))
        assert InvoiceLine.objects.filter(workspace=owner, kind="true_up", amount=10).count() == size

    assert counts[0] == counts[1]


def test_preview_shows_the_invoice_as_it_would_be_and_writes_nothing():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-06")
    make.use(line, "4", "2026-02-03")
    make.use(line, "100", "2026-02-20")
    before = snapshot()

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-02-10"))

    assert [(row.kind, row.quantity, row.amount) for row in preview.invoice.lines] == [
        ("usage", 4, 8),
        ("true_up", 11, 2),
    ]
    assert (preview.invoice.total, preview.measured_until) == (10, make.moment("2026-02-10"))
    assert snapshot() == before


def snapshot() -> list[list[tuple]]:
    tables = (Subscription, Line, BillingPeriod, Invoice, InvoiceLine, CloseRun, CloseItem, UsageRecord)
    return [list(table.objects.order_by("pk").values_list()) for table in tables]


def test_preview_of_a_gauge_counts_the_days_until_now():
    line = make.line(aggregation="unit_days", unit_price="1")
    make.use(line, "2", "2026-01-01")

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-04 12:00"))

    assert preview.invoice.lines[0].quantity == 7


def test_there_is_no_preview_before_the_start_and_after_the_last_close():
    line = make.line(ends_on=date(2026, 2, 1))

    assert closing.preview(subscription=line.subscription, as_of=make.moment("2025-12-31")) is None
    close_and_issue(line.workspace, "2026-02-01")
    assert closing.preview(subscription=line.subscription, as_of=make.moment("2026-02-02")) is None


@pytest.mark.parametrize(
    ("mode", "states"), [("manual", []), ("drafts", [CloseRun.State.REVIEW]), ("issue", [CloseRun.State.ISSUED])]
)
def test_automatic_closing_is_the_workspaces_choice(mode, states):
    line = make.line(make.workspace(closing=mode, closing_delay_hours=2))
    make.use(line, "10", "2026-01-10")

    early = closing.close_due(as_of=make.moment("2026-02-01 01:59"))
    runs = closing.close_due(as_of=make.moment("2026-02-01 02:00"))
    for run in runs:
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: make.moment("2026-02-01 02:00"))

    assert early == []
    assert [run.state for run in CloseRun.objects.all()] == states
    assert closing.close_due(as_of=make.moment("2026-02-01 02:05")) == []


def test_automatic_closing_does_not_try_a_parked_subscription_again_and_again():
    owner = make.workspace(closing="drafts", closing_delay_hours=0)
    broken = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(price=broken.price, up_to=None).delete()
    now = make.moment("2026-02-01")

    for run in closing.close_due(as_of=now):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: now)

    assert closing.close_due(as_of=now + timedelta(minutes=5)) == []
    assert close(owner, "2026-02-02").items.count() == 1


def test_a_run_whose_heartbeat_stopped_is_taken_up_once(settings):
    line = make.line()
    started = make.moment("2026-02-01")
    run = closing.start(workspace=line.workspace, until_at=started, by="finance", as_of=started)
    limit = started + timedelta(seconds=settings.CLOSE_HEARTBEAT_SECONDS)

    assert closing.stalled(as_of=limit) == []
    assert closing.stalled(as_of=limit + timedelta(seconds=1)) == [run]
    assert closing.stalled(as_of=limit + timedelta(seconds=2)) == []
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: limit)
    assert closing.stalled(as_of=limit + timedelta(days=1)) == []


def test_the_cutoff_of_every_line_is_the_ledgers_last_id():
    line = make.line()
    make.use(line, "1", "2026-01-10")

    close(line.workspace, "2026-02-01")

    line.refresh_from_db()
    last = ledger.last_id(workspace_id=line.workspace_id)
    assert line.cutoff == InvoiceLine.objects.get().cutoff == Invoice.objects.get().cutoff == last
