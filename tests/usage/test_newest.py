"""Few records are sorted, many are read backwards."""

import pytest

from tests import factories as make
from usage import newest
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("most", "are_few"), [(1, False), (2, True), (3, True)])
def test_records_are_few_up_to_the_bound(monkeypatch, django_assert_num_queries, most, are_few):
    monkeypatch.setattr(newest, "FEW", most)
    line = make.line()
    for day in ("2026-01-10", "2026-01-11"):
        make.use(line, "1", day)

    with django_assert_num_queries(1) as asked:
        assert newest.are_few(UsageRecord.objects.filter(workspace=line.workspace_id)) is are_few
    assert f"LIMIT {most + 1}" in asked.captured_queries[0]["sql"]


def test_gathered_records_are_the_newest_first():
    line = make.line()
    ids = [make.use(line, "1", day).id for day in ("2026-01-11", "2026-01-10")]

    found = UsageRecord.objects.filter(workspace=line.workspace).order_by(newest.GATHERED)

    assert list(found.values_list("pk", flat=True)) == ids[::-1]
