import logging
from decimal import Decimal

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from psycopg import errors

from billing import contracts
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, InvoiceLine, PriceTier
from tests import factories as make
from tests.failures import raised
from tests.scenarios.closing import close, close_and_issue, totals
from usage import closing, ledger

pytestmark = pytest.mark.django_db


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
    closing.work(
        workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: make.moment("2026-02-01"), actor=make.ACTOR
    )
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
    assert parked.reason == "The database stopped it: it takes longer than the statement timeout of a close."


def test_an_amount_that_no_column_holds_is_parked():
    line = make.line(unit_price="999999999999999")
    make.use(line, "999999999999999", "2026-01-10")

    run = close(line.workspace, "2026-02-01")

    assert [item.state for item in run.items.all()] == [CloseItem.State.PARKED]
    assert Invoice.objects.count() == BillingPeriod.objects.count() == 0


def test_a_subscription_without_lines_is_closed_without_an_invoice():
    subscription = make.subscription(make.customer(make.workspace()))

    run = close(subscription.workspace, "2026-02-01")

    assert run.items.get().state == CloseItem.State.DONE
    assert (BillingPeriod.objects.count(), Invoice.objects.count()) == (1, 0)


def test_the_number_of_queries_does_not_grow_with_the_batch():
    counts = []
    for code, size in (("one", 1), ("many", 30)):
        owner = make.workspace(code)
        brick = make.brick(owner)
        price = make.price(brick, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
        for _ in range(size):
            subscription = make.subscription(make.customer(owner))
            line = contracts.add_line(subscription=subscription, brick=brick, price=price, actor=make.ACTOR)
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
            contracts.add_line(subscription=subscription, brick=brick, price=price, actor=make.ACTOR)
            make.event(owner, f"C-{n}", "2026-01-10", length=5)
        close_and_issue(owner, "2026-02-01")
        for n in range(size):
            make.event(owner, f"C-{n}", "2026-01-11", length=5)
        with CaptureQueriesContext(connection) as queries:
            close(owner, "2026-03-01")
        counts.append(len({query["sql"][:60] for query in queries}))
        assert InvoiceLine.objects.filter(workspace=owner, kind="true_up", amount=10).count() == size

    assert counts[0] == counts[1]


def test_the_cutoff_of_every_line_is_the_ledgers_last_id():
    line = make.line()
    make.use(line, "1", "2026-01-10")

    close(line.workspace, "2026-02-01")

    line.refresh_from_db()
    last = ledger.last_id(workspace_id=line.workspace_id)
    assert line.cutoff == InvoiceLine.objects.get().cutoff == Invoice.objects.get().cutoff == last
