import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from django.db import connection, connections, transaction

from billing import contracts, parties
from billing.models import InvoiceLine
from tests import factories as make
from tests.concurrency.closers import close_beside_others
from tests.concurrency.threads import at_once
from tests.scenarios.closing import all_replay_identically, close, close_and_issue
from usage import closing, ledger
from usage.commands import Origin, ReportEvent
from usage.ledger.events.recording import insert_matched, prepare
from usage.models import Matching, UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

AT = "2026-01-10"
Result = TypeVar("Result")
FEBRUARY = make.moment("2026-02-01")


def test_one_key_sent_by_eight_clients_at_once_makes_one_chain():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])

    told = at_once([lambda n=n: make.event(owner, "gx", AT, key="m-1", sender=n) for n in range(8)])

    live = UsageRecord.objects.live().get()
    assert live.pk == max(event.id for event in told)
    assert {event.handle for event in told} == {min(event.id for event in told)}
    assert UsageRecord.objects.filter(kind="entry").count() == 1
    assert UsageRecord.objects.count() == 8


def test_one_key_sent_under_known_and_unknown_names_at_once_makes_one_chain():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    make.customer(owner, "Initech", aliases=["in"])
    names = ["gx", "in", "unknown", "VOID"] * 3

    at_once([lambda name=name: make.event(owner, name, AT, key="m-1") for name in names])

    assert UsageRecord.objects.filter(superseded_by=None).count() == 1
    assert UsageRecord.objects.filter(kind="entry").count() == 1
    assert UsageRecord.objects.count() == len(names)


def test_one_key_that_does_not_supersede_makes_one_event():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])

    def send(alias: str) -> int:
        try:
            return make.event(owner, alias, AT, key="m-1", supersedes=False).id
        except ledger.DuplicateKey as duplicate:
            return -duplicate.record_id

    results = at_once([lambda alias=alias: send(alias) for alias in ["gx", "unknown"] * 4])

    record = UsageRecord.objects.get()
    assert sorted(results) == [-record.pk] * 7 + [record.pk]


def test_eight_retractions_of_one_event_make_one():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    told = make.event(owner, "gx", AT)

    def take_back() -> bool:
        try:
            make.take_event_back(told)
        except ledger.RecordNotFound:
            return False
        return True

    assert sum(at_once([take_back] * 8)) == 1
    assert UsageRecord.objects.count() == 2


@pytest.mark.parametrize("give", ["alias", "reference", "customer"])
def test_a_name_given_beside_intakes_leaves_no_event_of_it_waiting(give):
    owner = make.workspace()
    globex = make.customer(owner)
    begun = threading.Event()

    def intake(seed: int) -> None:
        for number in range(40):
            if number == 5:
                begun.set()
            told = make.event(owner, "gx", AT, key=f"{seed}-{number % 30}")
            if number % 9 == 0:
                make.take_event_back(told)

    def name() -> None:
        assert begun.wait(timeout=30)
        if give == "alias":
            parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
        elif give == "reference":
            parties.update_customer(customer=globex, reference="gx", actor=make.ACTOR)
        else:
            parties.create_customer(
                workspace=owner, name="Initech", reference="gx", aliases=["other"], actor=make.ACTOR
            )

    at_once([*(lambda seed=seed: intake(seed) for seed in range(5)), name])

    assert not UsageRecord.objects.unmatched().exists()
    assert UsageRecord.objects.filter(kind="match").exists()
    assert UsageRecord.objects.filter(superseded_by=None).count() == 5 * 30


def test_each_event_sent_during_closes_is_billed_exactly_once():
    owner = make.workspace()
    brick = make.event_brick(owner, aggregation="sum", property="length")
    price = make.price(brick)
    customers = [make.customer(owner, f"customer {n}", aliases=[f"c{n}"]) for n in range(6)]
    # Two subscriptions each, so that customers and batches overlap.
    lines = [
        contracts.add_line(subscription=make.subscription(customer), brick=brick, price=price, actor=make.ACTOR)
        for customer in customers * 2
    ]
    for n in range(6):
        make.event(owner, f"c{n}", AT, length=1)
    begun = threading.Event()

    def intake(seed: int) -> None:
        rng = random.Random(seed)
        mine: list[ledger.RecordedEvent] = []
        for number in range(50):
            at = f"2026-01-{rng.randint(1, 31):02d} {rng.randint(0, 23):02d}:00"
            chance = rng.random()
            if number == 15:
                begun.set()
            if mine and chance < 0.1:
                make.fix_event(mine[rng.randrange(len(mine))], properties={"length": rng.randint(1, 9)})
            elif mine and chance < 0.15:
                make.take_event_back(mine.pop(rng.randrange(len(mine))))
            else:
                alias = rng.choice([*(f"c{n}" for n in range(6)), "later", "VOID"])
                key = f"{seed}-{rng.randint(0, number)}"
                told = make.event(owner, alias, at, key=key, length=rng.randint(1, 9))
                mine = [event for event in mine if event.key != key] + [told]

    def closer() -> None:
        close_beside_others(owner, FEBRUARY)

    def name() -> None:
        assert begun.wait(timeout=30)
        parties.add_alias(customer=customers[0], value="later", actor=make.ACTOR)

    at_once([*(lambda seed=seed: intake(seed) for seed in range(6)), closer, closer, name])
    close_and_issue(owner, "2026-03-01")

    assert UsageRecord.objects.filter(is_late=True).exists(), "the intakes were over before the close"
    assert not UsageRecord.objects.unmatched().exists()
    for line in lines:
        january = InvoiceLine.objects.filter(line=line, starts_at=make.moment("2026-01-01"))
        live = UsageRecord.objects.live().filter(customer=line.subscription.customer)
        total = sum((record.properties["length"] for record in live), 0)
        assert sum((row.amount for row in january), Decimal(0)) == 2 * total
    assert all_replay_identically(owner)


def test_an_event_draws_its_id_only_under_the_lock_of_its_customer():
    """The exact cutoff depends on this order in the plan: the id's nextval above the row lock, not below it."""
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    command = ReportEvent(
        origin=Origin(workspace_id=owner.pk, source="api", dialect="sequence", recorded_by="tests"),
        customer_alias="gx",
        event_type="message-sent",
        occurred_at=make.moment(AT),
        key="m-1",
        properties={"length": 5},
        supersedes=True,
    )
    statement, parameters = insert_matched(prepare(command, make.moment(AT)))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (VERBOSE, COSTS OFF) {statement}", parameters)
        plan = [row[0] for row in cursor.fetchall()]

    draws = next(n for n, step in enumerate(plan) if "nextval" in step)
    locks = next(n for n, step in enumerate(plan) if "LockRows" in step)
    assert draws < locks
    assert not any("nextval" in step for step in plan[locks:])


def while_held(
    hold: Callable[[], Any], job: Callable[[], Result], *, meanwhile: Callable[[], Any] | None = None
) -> Result:
    """Hold locks in a transaction, start a job, commit once the job waits, and return the job's result.

    ``meanwhile`` runs in the transaction while the job waits.
    """

    def run() -> Result:
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold()
            waiting = pool.submit(run)
            deadline = time.monotonic() + 30
            while not somebody_waits_for_me():
                assert not waiting.done(), "It did not wait."
                assert time.monotonic() < deadline
            if meanwhile is not None:
                meanwhile()
        return waiting.result(timeout=30)


def somebody_waits_for_me() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone() is not None


@pytest.mark.parametrize("sent_before", [False, True])
def test_an_event_waits_for_a_close_of_its_customer_and_is_late_after_it(sent_before):
    owner = make.workspace()
    make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner))
    if sent_before:
        make.event(owner, "gx", AT, key="m-1")

    told = while_held(lambda: close(owner, "2026-02-01"), lambda: make.event(owner, "gx", AT, key="m-1"))

    assert told.is_late
    assert InvoiceLine.objects.get().cutoff < told.id


def test_a_name_waits_for_a_close_of_its_customer_and_its_events_are_late_after_it():
    owner = make.workspace()
    globex = make.customer(owner)
    make.counting_line(globex, make.event_brick(owner))
    make.event(owner, "gx", AT)

    while_held(
        lambda: close(owner, "2026-02-01"), lambda: parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    )

    assert UsageRecord.objects.live().get().is_late


@pytest.mark.parametrize("sent_before", [False, True])
def test_an_event_under_a_name_that_is_being_given_waits_and_is_matched(sent_before):
    owner = make.workspace()
    globex = make.customer(owner)
    if sent_before:
        make.event(owner, "other", AT, key="m-1")

    told = while_held(
        lambda: parties.add_alias(customer=globex, value="gx", actor=make.ACTOR),
        lambda: make.event(owner, "gx", AT, key="m-1"),
    )

    assert told.customer_id == globex.pk


def test_intakes_of_one_customer_do_not_wait_for_each_other():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    make.event(owner, "gx", AT, key="m-1")

    with transaction.atomic():
        make.event(owner, "gx", AT, key="m-1")
        make.event(owner, "unknown", AT)
        (told,) = at_once([lambda: (make.event(owner, "gx", AT), make.event(owner, "unknown", AT))])

    assert len(told) == 2


def test_customers_with_many_names_are_added_at_once():
    owner = make.workspace()
    for n in range(10):
        make.event(owner, f"c{n}-7", AT)

    def add(n: int) -> None:
        aliases = [f"c{n}-{number}" for number in range(20)]
        parties.create_customer(
            workspace=owner, name=f"customer {n}", reference=f"C-{n}", aliases=aliases, actor=make.ACTOR
        )

    at_once([lambda n=n: add(n) for n in range(10)])

    assert not UsageRecord.objects.unmatched().exists()


def test_events_that_wait_in_thousands_are_matched_beside_intakes_and_closes_and_billed_once(settings):
    settings.MATCH_AT_ONCE = 50
    owner = make.workspace()
    globex = make.customer(owner)
    make.counting_line(globex, make.event_brick(owner))
    for number in range(2500):
        make.event(owner, "gx", AT, key=f"before-{number}")
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    job = Matching.objects.get()

    def match() -> None:
        ledger.work_on_matching(
            workspace_id=job.workspace_id, matching_id=job.pk, clock=lambda: make.moment("2026-02-01")
        )

    def intake() -> None:
        for number in range(100):
            make.event(owner, "gx", AT, key=f"after-{number}")
            # It may still be unmatched, and becomes the customer's whichever comes first.
            make.event(owner, "gx", AT, key=f"before-{number * 25}")

    def closes() -> None:
        for _ in range(10):
            with suppress(closing.NothingToClose):
                close_and_issue(owner, "2026-02-01")

    at_once([match, match, intake, closes])
    match()
    close(owner, "2026-03-01")

    assert not UsageRecord.objects.unmatched().exists()
    assert UsageRecord.objects.live().filter(customer=globex).count() == 2600
    assert sum(invoice.total for invoice in owner.invoices.all()) == 2 * 2600
