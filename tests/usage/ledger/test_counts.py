"""The number of usages, counted up to some record once and beyond it each time, is that of the listed ones."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from usage import ledger
from usage.models import UsageCount, UsageRecord

pytestmark = pytest.mark.django_db


def listed(workspace):
    return UsageRecord.objects.live().filter(workspace=workspace, line__isnull=False).count()


def test_a_ledger_that_was_never_counted_is_counted():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    make.use(make.line(make.workspace("other")), "1", "2026-01-10")

    assert ledger.usages_of_lines(workspace=line.workspace) == 1


def test_what_was_counted_is_not_counted_again_and_what_came_since_is():
    line = make.line()
    first, second, third = (make.use(line, "1", "2026-01-10") for _ in range(3))
    make.event(line.workspace, "nobody", "2026-01-10")
    ledger.count_usages()
    counted_up_to = UsageCount.objects.get().record_id

    make.fix(first, "2")
    make.take_back(second)
    make.use(line, "1", "2026-01-10")

    # Three, one of them corrected and one retracted, and one more.
    assert ledger.usages_of_lines(workspace=line.workspace) == listed(line.workspace) == 3
    ledger.count_usages()
    assert UsageCount.objects.get().record_id == UsageRecord.objects.latest("pk").pk > counted_up_to
    assert ledger.usages_of_lines(workspace=line.workspace) == 3
    make.take_back(make.use(line, "9", "2026-01-10"))
    make.take_back(third)
    assert ledger.usages_of_lines(workspace=line.workspace) == listed(line.workspace) == 2


def test_each_workspace_has_its_own_count():
    one, other = make.line(), make.line(make.workspace("other"))
    make.use(one, "1", "2026-01-10")
    ledger.count_usages()
    for _ in range(2):
        make.use(other, "1", "2026-01-10")
    ledger.count_usages()

    assert ledger.usages_of_lines(workspace=one.workspace) == 1
    assert ledger.usages_of_lines(workspace=other.workspace) == 2


def test_counting_again_changes_nothing():
    line = make.line()
    make.use(line, "1", "2026-01-10")

    for _ in range(3):
        ledger.count_usages()

    assert ledger.usages_of_lines(workspace=line.workspace) == 1


def test_counting_goes_step_by_step(monkeypatch):
    monkeypatch.setattr("usage.ledger.counts.STEP", 2)
    line = make.line()
    for _ in range(7):
        make.use(line, "1", "2026-01-10")

    ledger.count_usages()

    workspace = line.workspace
    with CaptureQueriesContext(connection) as queries:
        assert ledger.usages_of_lines(workspace=workspace) == 7
    assert len(queries) == 2
    assert UsageCount.objects.get().record_id == UsageRecord.objects.latest("pk").pk


def test_ids_that_have_leapt_are_counted_in_one_step(django_assert_max_num_queries):
    leapt = make.use(make.line(), "1", "2026-07-01").id + 10**12
    UsageRecord.objects.update(id=leapt)
    (record,) = UsageRecord.objects.all()
    UsageCount.objects.create(workspace=record.workspace, next_id=leapt)

    with django_assert_max_num_queries(40):
        ledger.count_usages()

    assert UsageCount.objects.get().record_id >= leapt
