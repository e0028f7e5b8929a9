from decimal import Decimal

import pytest
from django.db import connection, transaction

from tests import factories as make
from tests.concurrency.threads import at_once
from usage import ledger
from usage.commands import CorrectUsage, LineByNumber, Origin, RecordByKey, RecordUsage
from usage.ledger.lines.address import conditions
from usage.ledger.lines.recording import insert_entry
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_the_same_key_sent_by_eight_clients_at_once_makes_one_record():
    line = make.line()

    def send() -> int | None:
        try:
            return make.use(line, "7", "2026-01-10", key="event-1").id
        except ledger.DuplicateKey as duplicate:
            return -duplicate.record_id

    results = at_once([send] * 8)

    record = UsageRecord.objects.get()
    assert sorted(results) == [-record.pk] * 7 + [record.pk]


def test_eight_corrections_of_one_record_make_one_chain():
    line = make.line()
    first = make.use(line, "1", "2026-01-10", key="event-1")
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="piriod", recorded_by="tests")

    def correct(quantity: int) -> int:
        command = CorrectUsage(origin=origin, target=RecordByKey("piriod", "event-1"), quantity=Decimal(quantity))
        return ledger.correct(command=command, recorded_at=make.moment("2026-01-11")).id

    ids = at_once([lambda n=n: correct(n) for n in range(2, 10)])

    live = UsageRecord.objects.live().get()
    assert live.pk == max(ids)
    assert UsageRecord.objects.filter(origin=first.id).count() == 8
    assert UsageRecord.objects.filter(superseded_by=None).count() == 1


@transaction.atomic
def test_a_record_draws_its_id_only_under_the_lock_of_its_line_which_an_index_finds():
    """The exact cutoff depends on this order in the plan: the id's nextval above the row lock, not below it."""
    line = make.line()
    command = RecordUsage(
        origin=Origin(workspace_id=line.workspace_id, source="api", dialect="piriod", recorded_by="tests"),
        address=LineByNumber(line.number),
        quantity=Decimal(1),
        occurred_at=make.moment("2026-01-10"),
    )
    at = make.moment("2026-01-10")
    (where,) = conditions(command.address, workspace_id=line.workspace_id, occurred_at=at)
    statement, parameters = insert_entry(command, where, Decimal(1), at, at)
    with connection.cursor() as cursor:
        # A sequential scan would be cheaper on such a small table.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (VERBOSE, COSTS OFF) {statement}", parameters)
        plan = [row[0] for row in cursor.fetchall()]

    draws = next(n for n, step in enumerate(plan) if "nextval" in step)
    locks = next(n for n, step in enumerate(plan) if "LockRows" in step)
    assert draws < locks
    assert not any("nextval" in step for step in plan[locks:])
    # On such a small table, the primary key is as quick as the number's index.
    assert any("Index Scan using billing_line_" in step for step in plan[locks:])
