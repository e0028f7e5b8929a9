"""Usages are counted for good only where no earlier record can still be committed."""

import threading
import time

import pytest
from django.db import connection, transaction

from tests import factories as make
from tests.concurrency.threads import at_once
from usage import ledger
from usage.models import UsageCount, UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def counted_up_to() -> int:
    ledger.count_usages()
    return UsageCount.objects.get().record_id


def comes_to(record_id: int) -> bool:
    """Count until the record is counted: what an earlier test left running in the database is waited for as well."""
    deadline = time.monotonic() + 20
    while counted_up_to() != record_id and time.monotonic() < deadline:
        time.sleep(0.1)
    return counted_up_to() == record_id


@pytest.mark.parametrize("has_an_id", [True, False], ids=["with a transaction id", "before it has one"])
def test_a_record_that_is_not_committed_yet_is_waited_for(has_an_id):
    line = make.line()
    first = make.use(line, "1", "2026-01-10")
    assert comes_to(first.id)
    drawn, seen = threading.Event(), threading.Event()

    def slow() -> int:
        with transaction.atomic():
            if has_an_id:
                record_id = make.use(line, "1", "2026-01-10").id
            else:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT nextval(pg_get_serial_sequence('usage_usagerecord', 'id'))")
                    (record_id,) = cursor.fetchone()
            drawn.set()
            assert seen.wait(timeout=30)
            if not has_an_id:
                columns = UsageRecord.objects.filter(pk=first.id).values().get() | {"id": record_id}
                UsageRecord.objects.bulk_create([UsageRecord(**columns)])
        return int(record_id)

    def others() -> tuple[list[int], list[int], int]:
        assert drawn.wait(timeout=30)
        quick = make.use(line, "1", "2026-01-10").id
        marks = [counted_up_to(), counted_up_to()]
        counts = [ledger.usages_of_lines(workspace=line.workspace)]
        seen.set()
        return marks, counts, quick

    slow_id, (marks, counts, quick) = at_once([slow, others])

    assert slow_id < quick
    # The slow record could still be committed: nothing after the first is counted for good.
    assert marks == [first.id, first.id]
    assert counts == [2]
    assert ledger.usages_of_lines(workspace=line.workspace) == 3
    assert comes_to(quick)
    assert ledger.usages_of_lines(workspace=line.workspace) == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT usages FROM usage_usagecount")
        assert cursor.fetchall() == [(3,)]


def test_what_is_counted_beside_many_writers_adds_up():
    line = make.line()
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            record = make.use(line, "1", "2026-01-10")
            if n % 3 == 0:
                make.take_back(record)

    def count() -> None:
        while not done.is_set():
            ledger.count_usages()

    def writers() -> None:
        try:
            at_once([write] * 4)
        finally:
            done.set()

    at_once([writers, count, count])

    assert comes_to(UsageRecord.objects.latest("pk").pk)
    # Of each 60, 20 were retracted.
    assert ledger.usages_of_lines(workspace=line.workspace) == 160


def test_counting_goes_on_behind_where_an_earlier_call_looked_ahead_to():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    is_beside, looked = threading.Event(), threading.Event()

    def other() -> None:
        with transaction.atomic():
            UsageRecord.objects.exists()
            is_beside.set()
            assert looked.wait(timeout=30)

    def look() -> int:
        assert is_beside.wait(timeout=30)
        mark = counted_up_to()
        looked.set()
        return mark

    assert at_once([other, look])[1] == 0
    newest = make.use(line, "1", "2026-01-10").id
    assert comes_to(newest)
