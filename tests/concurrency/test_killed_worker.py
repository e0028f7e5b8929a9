from pathlib import Path

import pytest

from billing import contracts, parties
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, Workspace
from tests import factories as make
from tests.concurrency.processes import call, environment, wait_for, worker
from tests.scenarios.closing import all_replay_identically, close, issue
from usage import ledger
from usage.commands import Origin, ReportEvent
from usage.models import Matching, UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SUBSCRIPTIONS = 300


@pytest.fixture(params=["filesystem", pytest.param("redis", marks=pytest.mark.redis)])
def broker(request: pytest.FixtureRequest) -> str:
    return "filesystem://localhost" if request.param == "filesystem" else request.getfixturevalue("redis_url")


def busy_workspace(code: str) -> Workspace:
    workspace = make.workspace(code)
    brick = make.brick(workspace)
    price = make.price(brick)
    customer = make.customer(workspace)
    for number in range(SUBSCRIPTIONS):
        subscription = make.subscription(customer, reference=f"sub-{number}")
        line = contracts.add_line(subscription=subscription, brick=brick, price=price)
        make.use(line, str(number), "2026-01-10")
    return workspace


def invoices(workspace: Workspace) -> list[tuple[str | None, str]]:
    rows = Invoice.objects.filter(workspace=workspace).order_by("subscription__reference")
    return [(row.subscription.reference, str(row.total)) for row in rows.select_related("subscription")]


def test_a_worker_killed_in_the_middle_of_closing_changes_no_invoice(tmp_path: Path, broker: str):
    workspace, control = busy_workspace("acme"), busy_workspace("control")
    close(control, "2026-02-01")
    env = environment(tmp_path, broker=broker)

    with worker(env) as first:
        call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--queue", env=env)
        run = CloseRun.objects.get(workspace=workspace)
        done = CloseItem.objects.filter(run=run, state=CloseItem.State.DONE)
        wait_for(lambda: done.count() > 20)
        first.kill()
        first.wait()
    settled_before = done.count()
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and finished(run))

    assert 20 < settled_before < SUBSCRIPTIONS, "the worker was not killed in the middle: this run proves nothing"
    assert invoices(workspace) == invoices(control)
    assert BillingPeriod.objects.filter(workspace=workspace).count() == SUBSCRIPTIONS
    issue(run, "2026-02-01")
    assert all_replay_identically(workspace)


def test_a_worker_killed_in_the_middle_of_matching_loses_and_doubles_no_event(tmp_path: Path):
    owner = make.workspace()
    globex = make.customer(owner)
    origin, at = Origin(owner.pk, "api", "native", "tests"), make.moment("2026-01-10")
    waiting = [ReportEvent(origin, "gx", "call", at, None, {}, supersedes=False) for _ in range(5000)]
    for _ in range(3):
        ledger.record_many(commands=waiting, recorded_at=at)
    parties.add_alias(customer=globex, value="gx")
    job = Matching.objects.get()
    env = environment(tmp_path, broker="filesystem://localhost")

    def progress() -> Matching:
        job.refresh_from_db()
        return job

    with worker(env) as first:
        wait_for(lambda: bool(sweep(env)) and progress().matched_count > 0)
        first.kill()
        first.wait()
    matched_before = progress().matched_count
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and progress().state == Matching.State.DONE)

    assert 0 < matched_before < 15_000, "the worker was not killed in the middle: this run proves nothing"
    assert (job.found_count, job.matched_count) == (15_000, 15_000)
    assert UsageRecord.objects.live().filter(customer=globex).count() == 15_000
    assert UsageRecord.objects.count() == 30_000


def sweep(env: dict[str, str]) -> str:
    """What the schedule does every few seconds."""
    return call("-m", "celery", "-A", "config", "call", "usage.sweep", env=env)


def finished(run: CloseRun) -> bool:
    run.refresh_from_db()
    return run.state == CloseRun.State.REVIEW


def test_without_a_queue_a_close_waits_for_the_sweep(tmp_path: Path):
    line = make.line()
    make.use(line, "5", "2026-01-10")
    nowhere = environment(tmp_path, broker="redis://127.0.0.1:1/0")

    said = call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--queue", env=nowhere)

    run = CloseRun.objects.get()
    assert said == f"{run} is with the workers.\n"
    assert run.state == CloseRun.State.COMPUTING
    env = environment(tmp_path, broker="filesystem://localhost")
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and finished(run))
    assert Invoice.objects.count() == 1
