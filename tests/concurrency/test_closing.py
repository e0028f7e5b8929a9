import io
import random
import re
from collections import Counter
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Sum

from billing import contracts, invoicing
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, InvoiceLine, Line, Workspace
from tests import factories as make
from tests.concurrency.closers import close_beside_others
from tests.concurrency.threads import at_once
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, issue
from usage import closing, ledger
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

FEBRUARY = make.moment("2026-02-01")
MARCH = make.moment("2026-03-01")
AUGUST = "2026-08-01"


def lines_of(workspace: Workspace, count: int, aggregation: str = "sum", **fields: Any) -> list[Line]:
    brick = make.brick(workspace, name=f"Brick {aggregation}", aggregation=aggregation)
    price = make.price(brick)
    customer = make.customer(workspace)
    return [
        contracts.add_line(
            subscription=make.subscription(customer, **fields), brick=brick, price=price, actor=make.ACTOR
        )
        for _ in range(count)
    ]


def start(workspace: Workspace) -> CloseRun:
    return closing.start(workspace=workspace, until_at=FEBRUARY, actor=make.actor("finance"), as_of=FEBRUARY)


def test_six_closers_at_once_make_one_invoice_per_period():
    workspace = make.workspace()
    lines = lines_of(workspace, 40)
    for line in lines:
        make.use(line, "5", "2026-01-10")

    def closer() -> None:
        with suppress(closing.NothingToClose):
            closing.work(
                workspace_id=workspace.pk, run_id=start(workspace).pk, clock=lambda: FEBRUARY, batch=7, actor=make.ACTOR
            )

    at_once([closer] * 6)

    assert Counter(Invoice.objects.values_list("subscription_id", flat=True)).most_common(1)[0][1] == 1
    assert Invoice.objects.count() == BillingPeriod.objects.count() == 40
    assert {str(total) for total in Invoice.objects.values_list("total", flat=True)} == {"10.0000"}
    assert {run.state for run in CloseRun.objects.all()} == {CloseRun.State.REVIEW}
    # The second worker at a subscription left it alone.
    assert CloseItem.objects.filter(holds_subscription=True).count() == CloseItem.objects.count() == 40


def test_runs_that_are_started_worked_on_issued_and_discarded_at_once_never_wait_for_each_other():
    # X's subscriptions have ended and are closed entirely, with late usage arriving all the time; Y's are monthly.
    workspace = make.workspace()
    x, y = lines_of(workspace, 6, ends_on=date(2026, 2, 1)), lines_of(workspace, 6, "unit_days")
    for line in [*x, *y]:
        make.use(line, "1", "2026-01-01")
    close_and_issue(workspace, "2026-02-01")
    untils = [MARCH, make.moment("2026-04-01"), make.moment("2026-05-01")]

    def late(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(40):
            make.use(rng.choice(x), str(rng.randint(1, 9)), f"2026-01-{rng.randint(1, 31):02d}", recorded_at=AUGUST)

    def manager(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(8):
            with suppress(closing.NothingToClose):
                run = closing.start(
                    workspace=workspace, until_at=rng.choice(untils), actor=make.actor("m"), as_of=untils[-1]
                )
                if rng.random() < 0.8:
                    closing.work(
                        workspace_id=run.workspace_id,
                        run_id=run.pk,
                        clock=lambda: untils[-1],
                        batch=3,
                        actor=make.ACTOR,
                    )
                # A run in review, whoever started it, can be issued or discarded at once.
                decide_on_one(workspace, rng)

    at_once(
        [*(lambda seed=seed: late(seed) for seed in range(2)), *(lambda seed=seed: manager(seed) for seed in "abc")]
    )
    for run in CloseRun.objects.filter(state=CloseRun.State.COMPUTING):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: untils[-1], actor=make.ACTOR)
    close_and_issue_whatever_is_open(workspace, "2026-05-01")

    for line in x:
        live = UsageRecord.objects.live().filter(line=line)
        billed = sum((row.amount for row in line.invoice_lines.all()), Decimal(0))
        assert billed == 2 * sum((record.quantity for record in live), Decimal(0))
    for line in y:
        # A value of 1 at 2.00 for the 120 days until 1 May.
        assert sum((row.amount for row in line.invoice_lines.all()), Decimal(0)) == 240
    assert not CloseRun.objects.filter(state__in=CloseRun.UNFINISHED).exists()
    assert not CloseItem.objects.filter(holds_subscription=True).exists()
    assert all_replay_identically(workspace)


def decide_on_one(workspace: Workspace, rng: random.Random) -> None:
    run = CloseRun.objects.filter(workspace=workspace, state=CloseRun.State.REVIEW).order_by("?").first()
    if run is None:
        return
    decide = rng.choice((invoicing.approve, invoicing.discard))
    try:
        decide(run=run, actor=make.actor("m"), as_of=MARCH)
    except (invoicing.UnableToIssue, invoicing.UnableToDiscard) as refused:
        # The only reason is that another manager was faster: no run blocks another.
        if not re.search("not waiting for review|can't be discarded", str(refused)):
            raise
    else:
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: MARCH, actor=make.ACTOR)


def test_six_workers_share_one_run():
    workspace = make.workspace()
    for line in lines_of(workspace, 60):
        make.use(line, "5", "2026-01-10")
    run = start(workspace)

    at_once(
        [
            lambda: closing.work(
                workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, batch=5, actor=make.ACTOR
            )
        ]
        * 6
    )

    run.refresh_from_db()
    assert run.state == CloseRun.State.REVIEW
    assert Invoice.objects.count() == 60


@pytest.mark.parametrize("aggregation", ["sum", "unit_days"])
def test_what_eight_intakes_send_during_a_close_is_billed_exactly_once(aggregation):
    workspace = make.workspace()
    lines = lines_of(workspace, 12, aggregation)
    for line in lines:
        make.use(line, "1", "2026-01-01")

    def intake(seed: int) -> None:
        rng = random.Random(seed)
        mine: list[ledger.Recorded] = []
        for _ in range(60):
            chance = rng.random()
            if mine and chance < 0.15:
                make.fix(mine[rng.randrange(len(mine))], str(rng.randint(0, 9)))
            elif mine and chance < 0.2:
                make.take_back(mine.pop(rng.randrange(len(mine))))
            else:
                at = f"2026-01-{rng.randint(1, 31):02d} {rng.randint(0, 23):02d}:00"
                mine.append(make.use(rng.choice(lines), str(rng.randint(1, 9)), at))

    def closer() -> None:
        close_beside_others(workspace, FEBRUARY)

    at_once([*(lambda seed=seed: intake(seed) for seed in range(8)), closer, closer])
    counted_by_the_first_close = InvoiceLine.objects.aggregate(n=Sum("record_count"))["n"]
    close_and_issue(workspace, "2026-03-01")

    late = UsageRecord.objects.filter(is_late=True).count()
    assert counted_by_the_first_close > 0
    assert late > 0, "the intakes were over before the close: this run proves nothing"
    for line in lines:
        january = InvoiceLine.objects.filter(line=line, starts_at=make.moment("2026-01-01"))
        billed = sum((row.amount for row in january), Decimal(0))
        last = january.order_by("id").last()
        live = UsageRecord.objects.live().filter(line=line)
        assert billed == last.rated
        if aggregation == "sum":
            assert billed == 2 * sum((record.quantity for record in live), Decimal(0))
    assert all_replay_identically(workspace)


def test_closing_discarding_and_issuing_beside_intakes_loses_and_doubles_nothing():
    workspace = make.workspace()
    lines = lines_of(workspace, 10)
    for line in lines:
        make.use(line, "1", "2026-01-01")

    def intake(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(50):
            record = make.use(rng.choice(lines), str(rng.randint(1, 9)), f"2026-01-{rng.randint(1, 31):02d}")
            if rng.random() < 0.3:
                make.fix(record, str(rng.randint(0, 9)))

    def manager(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(6):
            try:
                run = start(workspace)
                closing.work(
                    workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, batch=3, actor=make.ACTOR
                )
                if rng.random() < 0.7:
                    invoicing.discard(run=run, actor=make.actor("finance"), as_of=FEBRUARY)
                else:
                    issue(run)
            except (closing.NothingToClose, invoicing.UnableToDiscard, invoicing.UnableToIssue):
                continue

    at_once([*(lambda seed=seed: intake(seed) for seed in range(5)), lambda: manager(1), lambda: manager(2)])
    close_and_issue_whatever_is_open(workspace, "2026-03-01")

    for line in lines:
        billed = sum((row.amount for row in line.invoice_lines.filter(starts_at__lt=FEBRUARY)), Decimal(0))
        live = UsageRecord.objects.live().filter(line=line)
        assert billed == 2 * sum((record.quantity for record in live), Decimal(0))
    assert all_replay_identically(workspace)
    numbers = [invoice.sequence for invoice in workspace.invoices.filter(kind="invoice").order_by("sequence")]
    assert numbers == list(range(1, len(numbers) + 1))


def close_and_issue_whatever_is_open(workspace: Workspace, until: str) -> None:
    for run in CloseRun.objects.filter(state=CloseRun.State.REVIEW).order_by("pk"):
        issue(run)
    with suppress(closing.NothingToClose):
        close_and_issue(workspace, until)


def test_two_issuers_neither_repeat_nor_skip_a_number():
    workspace = make.workspace()
    lines = lines_of(workspace, 30)
    other = lines_of(workspace, 30, "unit_days")
    for line in [*lines, *other]:
        make.use(line, "5", "2026-01-10")
    run = close(workspace, "2026-02-01")
    invoicing.approve(run=run, actor=make.actor("finance"), as_of=FEBRUARY)
    late = make.line(make.workspace("second"))
    make.use(late, "1", "2026-01-10")
    second = close(late.workspace, "2026-02-01")
    invoicing.approve(run=second, actor=make.actor("finance"), as_of=FEBRUARY)

    def issuer(run: CloseRun) -> None:
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: MARCH, actor=make.ACTOR)

    at_once([lambda: issuer(run), lambda: issuer(run), lambda: issuer(second)])

    numbers = sorted(Invoice.objects.filter(workspace=workspace).values_list("sequence", flat=True))
    assert numbers == list(range(1, 61))
    assert [invoice.number for invoice in late.workspace.invoices.all()] == ["INV-000001"]


def test_two_runs_issued_at_once_share_one_series(monkeypatch):
    monkeypatch.setattr("billing.invoicing.issuing.ISSUE_BATCH", 3)
    workspace = make.workspace()
    runs = []
    for _ in range(2):
        for line in lines_of(workspace, 15):
            make.use(line, "5", "2026-01-10")
        runs.append(close(workspace, "2026-02-01"))
    for run in runs:
        invoicing.approve(run=run, actor=make.actor("finance"), as_of=FEBRUARY)

    def issuer(run: CloseRun) -> None:
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: MARCH, actor=make.ACTOR)

    at_once([lambda run=run: issuer(run) for run in runs * 2])

    numbers = sorted(Invoice.objects.values_list("sequence", flat=True))
    assert numbers == list(range(1, 31))


def test_a_command_that_finds_others_at_work_says_so_by_its_exit_status():
    workspace = make.workspace()
    lines_of(workspace, 1)
    run = start(workspace)

    with transaction.atomic():
        list(CloseItem.objects.select_for_update())
        said = io.StringIO()

        def command() -> int:
            try:
                call_command("close", "--workspace", "acme", "--until", "2026-01-31", "--issue", stdout=said)
            except CommandError as error:
                return error.returncode
            return 0

        (status,) = at_once([command])

    assert status == 4
    assert said.getvalue().startswith(f"{run}: computing drafts.\n")
