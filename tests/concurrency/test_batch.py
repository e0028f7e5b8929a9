import random
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from billing import contracts, parties
from billing.contracts import Limits
from billing.models import InvoiceLine, Line, Workspace
from tests import factories as make
from tests.concurrency.closers import close_beside_others
from tests.concurrency.test_events import while_held
from tests.concurrency.threads import at_once
from tests.scenarios.closing import all_replay_identically, close, close_and_issue
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage, ReportEvent
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

AT = make.moment("2026-01-10")
FEBRUARY = make.moment("2026-02-01")


def origin_of(workspace_id: int) -> Origin:
    return Origin(workspace_id=workspace_id, source="api", dialect="native", recorded_by="tests")


def usage(line: Line, quantity: int = 1, at: str = "2026-01-10", key: str | None = None) -> RecordUsage:
    return RecordUsage(
        origin=origin_of(line.workspace_id),
        address=LineByNumber(line.number),
        quantity=Decimal(quantity),
        occurred_at=make.moment(at),
        key=key,
    )


def event(workspace: Workspace, alias: str, key: str | None = None) -> ReportEvent:
    return ReportEvent(
        origin=origin_of(workspace.pk),
        customer_alias=alias,
        event_type="message-sent",
        occurred_at=AT,
        key=key,
        properties={"length": 1},
        supersedes=False,
    )


def send(commands: Sequence[RecordUsage | ReportEvent]) -> list[Any]:
    return ledger.record_many(commands=commands, recorded_at=AT)


def lines_of(workspace: Workspace, count: int) -> list[Line]:
    brick, customer = make.brick(workspace), make.customer(workspace)
    price = make.price(brick)
    return [
        contracts.add_line(subscription=make.subscription(customer), brick=brick, price=price, actor=make.ACTOR)
        for _ in range(count)
    ]


def test_the_same_keys_sent_by_eight_batches_at_once_make_one_record_each():
    line = make.line()
    keys = [f"k-{n}" for n in range(200)]
    orders = [random.Random(seed).sample(keys, len(keys)) for seed in range(8)]

    told = at_once([lambda order=order: send([usage(line, key=key) for key in order]) for order in orders])

    records = dict(UsageRecord.objects.values_list("key", "id"))
    assert len(records) == UsageRecord.objects.count() == 200
    for order, outcomes in zip(orders, told, strict=True):
        known = [getattr(outcome, "record_id", None) or outcome.id for outcome in outcomes]
        assert known == [records[key] for key in order]
    recorded = [outcome for outcomes in told for outcome in outcomes if isinstance(outcome, ledger.Recorded)]
    assert len(recorded) == 200


def test_batches_and_single_records_of_lines_in_any_order_wait_for_no_one_for_ever():
    workspace = make.workspace()
    lines = lines_of(workspace, 12)
    for line in lines[:4]:
        contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(100)), actor=make.ACTOR)

    def batches(seed: int) -> int:
        rng = random.Random(seed)
        count = 0
        for _ in range(10):
            commands = [usage(line, key=f"k-{rng.randint(0, 400)}") for line in rng.choices(lines, k=40)]
            count += sum(isinstance(outcome, ledger.Recorded) for outcome in send(commands))
        return count

    def one_by_one(seed: int) -> int:
        rng = random.Random(seed)
        count = 0
        for _ in range(60):
            try:
                ledger.record(command=usage(rng.choice(lines), key=f"k-{rng.randint(0, 400)}"), recorded_at=AT)
                count += 1
            except (ledger.DuplicateKey, ledger.LimitReached):
                pass
        return count

    counts = at_once(
        [
            *(lambda seed=seed: batches(seed) for seed in range(5)),
            *(lambda seed=seed: one_by_one(seed) for seed in range(5, 8)),
        ]
    )

    assert sum(counts) == UsageRecord.objects.count()
    for line in lines[:4]:
        assert UsageRecord.objects.filter(line=line).count() <= 100


def test_two_batches_at_once_do_not_exceed_a_limit_together():
    line = make.line()
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(50)), actor=make.ACTOR)

    told = at_once([lambda: send([usage(line) for _ in range(20)])] * 4)

    recorded = [outcome for outcomes in told for outcome in outcomes if isinstance(outcome, ledger.Recorded)]
    assert len(recorded) == UsageRecord.objects.count() == 50


def test_a_key_that_another_takes_meanwhile_leaves_its_share_of_the_limit_to_others():
    workspace = make.workspace()
    bounded, free = lines_of(workspace, 2)
    contracts.set_limits(line=bounded, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)

    told = while_held(
        lambda: make.use(free, "1", "2026-01-10", key="k", dialect="native"),
        lambda: send([usage(bounded, 8, key="k"), usage(bounded, 5)]),
    )

    assert [type(outcome) for outcome in told] == [ledger.DuplicateKey, ledger.Recorded]
    assert [record.quantity for record in UsageRecord.objects.filter(line=bounded)] == [5]


def test_what_batches_send_during_a_close_is_billed_exactly_once():
    workspace = make.workspace()
    lines = lines_of(workspace, 12)
    for line in lines:
        make.use(line, "1", "2026-01-01")
    begun, closed = threading.Event(), threading.Event()

    def intake(seed: int) -> None:
        rng = random.Random(seed)
        for number in range(200):
            if number == 3:
                begun.set()
            days = (f"2026-01-{rng.randint(1, 31):02d}" for _ in range(60))
            send([usage(rng.choice(lines), rng.randint(1, 9), day) for day in days])
            if closed.is_set():
                break

    def closer() -> None:
        assert begun.wait(timeout=30)
        close_beside_others(workspace, FEBRUARY)
        closed.set()

    at_once([*(lambda seed=seed: intake(seed) for seed in range(6)), closer, closer])
    counted_by_the_first_close = InvoiceLine.objects.order_by("id").first().record_count
    close_and_issue(workspace, "2026-03-01")

    assert counted_by_the_first_close > 1
    assert UsageRecord.objects.filter(is_late=True).exists(), "the intakes were over before the close"
    for line in lines:
        january = InvoiceLine.objects.filter(line=line, starts_at=make.moment("2026-01-01"))
        used = sum(UsageRecord.objects.filter(line=line).values_list("quantity", flat=True), Decimal(0))
        assert sum((row.amount for row in january), Decimal(0)) == 2 * used
    assert all_replay_identically(workspace)


def test_a_batch_waits_for_a_close_of_one_of_its_lines_and_is_late_after_it():
    workspace = make.workspace()
    lines = lines_of(workspace, 3)

    told = while_held(lambda: close(workspace, "2026-02-01"), lambda: send([usage(line) for line in reversed(lines)]))

    assert [outcome.is_late for outcome in told] == [True] * 3
    assert InvoiceLine.objects.order_by("cutoff").last().cutoff < min(outcome.id for outcome in told)


def test_a_batch_of_events_waits_for_a_close_of_their_customer_and_is_late_after_it():
    workspace = make.workspace()
    make.counting_line(make.customer(workspace, aliases=["gx"]), make.event_brick(workspace))

    told = while_held(lambda: close(workspace, "2026-02-01"), lambda: send([event(workspace, "gx")]))

    assert [outcome.is_late for outcome in told] == [True]
    assert InvoiceLine.objects.get().cutoff < told[0].id


def test_a_batch_of_events_under_a_name_that_is_being_given_waits_and_is_matched():
    workspace = make.workspace()
    globex = make.customer(workspace)

    told = while_held(
        lambda: parties.add_alias(customer=globex, value="gx", actor=make.ACTOR),
        lambda: send([event(workspace, "nobody"), event(workspace, "gx")]),
    )

    assert [outcome.customer_id for outcome in told] == [None, globex.pk]


def test_names_given_beside_batches_leave_no_event_of_them_waiting():
    workspace = make.workspace()
    customers = [make.customer(workspace, f"customer {n}", aliases=[f"known-{n}"]) for n in range(4)]
    begun = threading.Event()

    def intake(seed: int) -> None:
        rng = random.Random(seed)
        for number in range(12):
            if number == 3:
                begun.set()
            names = [rng.choice([f"known-{n}" for n in range(4)] + [f"new-{n}" for n in range(4)]) for _ in range(40)]
            send([event(workspace, name, key=f"k-{rng.randint(0, 2000)}") for name in names])

    def name() -> None:
        assert begun.wait(timeout=30)
        for number, customer in enumerate(customers):
            parties.add_alias(customer=customer, value=f"new-{number}", actor=make.ACTOR)

    at_once([*(lambda seed=seed: intake(seed) for seed in range(6)), name])

    assert not UsageRecord.objects.unmatched().exists()
    assert UsageRecord.objects.filter(kind="match").exists()
