"""Live records, handles and chains: on values, as conditions and as SQL."""

from dataclasses import dataclass

import pytest
from django.db import connection

from billing.models import Workspace
from tests import factories as make
from usage.chains import HANDLE, LIVE, handle_of, in_chain, is_live, known_as
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


@dataclass(frozen=True)
class Ledger:
    workspace: Workspace
    records: list[UsageRecord]

    def ids(self, condition) -> set[int]:
        return set(UsageRecord.objects.filter(condition, workspace=self.workspace).values_list("pk", flat=True))


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger with every kind of record: chains of one, two and three, one taken back, one matched."""
    line = make.line()
    make.use(line, "1", AT)
    corrected = make.use(line, "2", AT)
    make.fix(corrected, "3")
    make.fix(corrected, "4")
    retracted = make.use(line, "5", AT, key="k")
    make.event(line.workspace, "gx", AT)
    make.take_back(retracted)
    make.customer(line.workspace, "Globex", aliases=["gx"])
    make.use(make.line(make.workspace("other")), "6", AT)
    records = list(UsageRecord.objects.filter(workspace=line.workspace).order_by("pk"))
    assert {record.kind for record in records} == set(UsageRecord.Kind.values)
    return Ledger(line.workspace, records)


def was_live(record: UsageRecord, cutoff: int) -> bool:
    """Say it once more, record by record."""
    superseded_by = record.superseded_by_id
    if superseded_by is not None and superseded_by > cutoff:
        superseded_by = None
    return record.pk <= cutoff and is_live(kind=record.kind, superseded_by=superseded_by)


def live_by_sql(workspace: Workspace, cutoff: int) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id FROM (SELECT %s AS cutoff) AS w CROSS JOIN usage_usagerecord r"
            f" WHERE r.workspace_id = %s AND {LIVE.format(window='w')}",
            [cutoff, workspace.pk],
        )
        return {pk for (pk,) in cursor.fetchall()}


def test_sql_and_query_sets_find_what_is_live_on_values(ledger):
    found = []
    for cutoff in range(ledger.records[0].pk - 1, ledger.records[-1].pk + 2):
        expected = {record.pk for record in ledger.records if was_live(record, cutoff)}
        as_of = UsageRecord.objects.filter(workspace=ledger.workspace).as_of(cutoff)
        assert {record.pk for record in as_of} == live_by_sql(ledger.workspace, cutoff) == expected, cutoff
        found.append(expected)

    live_now = UsageRecord.objects.filter(workspace=ledger.workspace).live()
    assert {record.pk for record in live_now} == found[-1] == {record.pk for record in ledger.records if record.is_live}
    # The alone one, the correction of the correction, and the match; the retracted one counted for a while.
    assert len(found[-1]) == 3
    assert max(map(len, found)) == 4


def test_a_handle_is_the_same_on_values_and_in_sql(ledger):
    expected = {record.pk: record.handle for record in ledger.records}
    by_query = UsageRecord.objects.filter(workspace=ledger.workspace).values_list("pk", HANDLE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.id, {handle_of('r')} FROM usage_usagerecord r WHERE r.workspace_id = %s", [ledger.workspace.pk]
        )
        by_sql = dict(cursor.fetchall())

    assert dict(by_query) == by_sql == expected


def test_an_id_means_the_chain_that_it_begins_or_one_record(ledger):
    for record in ledger.records:
        whole = {other.pk for other in ledger.records if other.handle == record.pk}
        assert ledger.ids(in_chain(record.pk)) == {record.pk} | whole
        assert ledger.ids(known_as(record.pk)) == whole

    handles = [record.pk for record in ledger.records[:3]]
    expected = {record.pk for record in ledger.records if record.handle in handles}
    assert ledger.ids(known_as(handles, "in")) == expected
