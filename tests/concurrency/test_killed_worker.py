import subprocess
import sys
from pathlib import Path

import pytest

from billing import contracts, invoicing, parties
from billing.models import BillingPeriod, CloseItem, CloseRun, Customer, Invoice, Workspace
from tests import factories as make
from tests.concurrency.processes import call, environment, wait_for, worker
from tests.scenarios.closing import all_replay_identically, close, issue
from usage import ledger
from usage.commands import Origin, ReportEvent
from usage.models import Matching, UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SUBSCRIPTIONS = 150


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
        line = contracts.add_line(subscription=subscription, brick=brick, price=price, actor=make.ACTOR)
        make.use(line, str(number), "2026-01-10")
    return workspace


def invoices(workspace: Workspace) -> list[tuple[str | None, str]]:
    rows = Invoice.objects.filter(workspace=workspace).order_by("subscription__reference")
    return [(row.subscription.reference, str(row.total)) for row in rows.select_related("subscription")]


def numbers(workspace: Workspace) -> list[int | None]:
    return list(workspace.invoices.order_by("sequence").values_list("sequence", flat=True))


def test_a_worker_killed_in_the_middle_of_closing_changes_no_invoice(tmp_path: Path, broker: str):
    workspace, control = busy_workspace("acme"), busy_workspace("control")
    close(control, "2026-02-01")
    env = environment(tmp_path, broker=broker)

    # First the message and then its worker, which could be done before the command has ended.
    call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--queue", env=env)
    run = CloseRun.objects.get(workspace=workspace)
    with worker(env) as first:
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
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    job = Matching.objects.get()
    env = environment(tmp_path, broker="filesystem://localhost")

    def progress() -> Matching:
        job.refresh_from_db()
        return job

    with worker(env) as first:
        # Once: sending it again takes longer than many batches of events.
        assert sweep(env)
        wait_for(lambda: progress().matched_count > 0)
        first.kill()
        first.wait()
    matched_before = progress().matched_count
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and progress().state == Matching.State.DONE)

    assert 0 < matched_before < 15_000, "the worker was not killed in the middle: this run proves nothing"
    assert (job.found_count, job.matched_count) == (15_000, 15_000)
    assert UsageRecord.objects.live().filter(customer=globex).count() == 15_000
    assert UsageRecord.objects.count() == 30_000


def test_a_command_killed_in_the_middle_is_finished_and_issued_by_the_same_command(tmp_path: Path):
    workspace, control = busy_workspace("acme"), busy_workspace("control")
    close(control, "2026-02-01")
    env = environment(tmp_path, broker="filesystem://localhost")
    command = ["manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--issue"]

    with subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.DEVNULL) as first:
        done = CloseItem.objects.filter(run__workspace=workspace, state=CloseItem.State.DONE)
        wait_for(lambda: done.count() > 20)
        first.kill()
    settled_before = done.count()
    said = call(*command, env=env)

    assert 20 < settled_before < SUBSCRIPTIONS, "the command was not killed in the middle: this run proves nothing"
    run = CloseRun.objects.get(workspace=workspace)
    assert (run.state, said.splitlines()[0]) == (CloseRun.State.ISSUED, f"{run}: issued.")
    assert invoices(workspace) == invoices(control)
    assert numbers(workspace) == list(range(1, SUBSCRIPTIONS + 1))
    assert call(*command, env=env) == "Nothing to close: no open period has ended by then.\n"


def test_an_automatic_run_whose_worker_is_killed_while_it_issues_is_issued_by_the_sweep(tmp_path: Path, broker: str):
    workspace = busy_workspace("acme")
    env = environment(tmp_path, broker=broker)
    command = ["manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--issue", "--queue"]

    call(*command, env=env)
    run = CloseRun.objects.get(workspace=workspace)
    with worker(env) as first:
        wait_for(lambda: CloseRun.objects.filter(state=CloseRun.State.ISSUING).exists())
        first.kill()
        first.wait()
    run.refresh_from_db()
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and has_state(run, CloseRun.State.ISSUED))

    assert numbers(workspace) == list(range(1, SUBSCRIPTIONS + 1))


def test_a_database_out_of_reach_is_told_without_a_traceback(tmp_path: Path):
    env = environment(tmp_path, broker="filesystem://localhost") | {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"
    }
    command = [sys.executable, "manage.py", "close", "--workspace", "acme", "--until", "2026-01-31"]

    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: The database is unreachable.")
    assert done.stderr.count("\n") == 1


def test_names_that_the_output_can_not_show_fail_no_command(tmp_path: Path):
    line = make.line()
    make.use(line, "5", "2026-01-10")
    Customer.objects.update(name="Čeština 東京\n")
    env = environment(tmp_path, broker="filesystem://localhost") | {"PYTHONIOENCODING": "ascii"}

    said = call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--issue", env=env)

    assert said.splitlines()[1] == "  INV-000001  \\u010ce\\u0161tina \\u6771\\u4eac\\n  10.00 USD"
    assert call("manage.py", "replay", "--all", env=env).startswith("INV-000001: identical")


def test_a_worker_outlives_messages_and_tables_that_can_not_be_read(tmp_path: Path):
    line = make.line()
    make.use(line, "5", "2026-01-10")
    env = environment(tmp_path, broker="filesystem://localhost")
    queue = tmp_path / "queue"

    with worker(env) as running:
        call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--queue", env=env)
        wait_for(lambda: has_state(CloseRun.objects.get(), CloseRun.State.REVIEW))
        for number, torn in enumerate((b"", b"{", b"null", b"{}")):
            (queue / "messages" / f"0_{number}.celery.msg").write_bytes(torn)
        (queue / "control" / "celery.exchange").write_bytes(b"")
        issue_later = ["manage.py", "close", "--workspace", "acme", "--until", "2026-02-28", "--queue"]
        invoicing.approve(run=CloseRun.objects.get(), actor=make.actor("finance"), as_of=make.moment("2026-02-01"))
        wait_for(lambda: bool(sweep(env)) and has_state(CloseRun.objects.get(), CloseRun.State.ISSUED))
        call(*issue_later, env=env)
        wait_for(lambda: has_state(CloseRun.objects.latest("pk"), CloseRun.State.REVIEW))
        assert running.poll() is None

    assert Invoice.objects.count() == 2


def has_state(run: CloseRun, state: str) -> bool:
    run.refresh_from_db()
    return run.state == state


def sweep(env: dict[str, str]) -> str:
    """Run the task that the schedule sends every few seconds."""
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
    assert said == f"{run} is queued for the workers.\n"
    assert run.state == CloseRun.State.COMPUTING
    env = environment(tmp_path, broker="filesystem://localhost")
    with worker(env):
        wait_for(lambda: bool(sweep(env)) and finished(run))
    assert Invoice.objects.count() == 1
