"""A correction and a retraction are further records; what they supersede keeps its row."""

import pytest

from tests import factories as make
from tests.usage.ledger.commands import origin_of
from usage import ledger
from usage.commands import (
    CorrectUsage,
    RecordById,
    RecordByKey,
    RetractUsage,
)
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_a_correction_supersedes_and_the_former_keeps_its_row():
    line = make.line()
    first = make.use(line, "10", AT, key="k")

    second = make.fix(first, "7")
    third = make.fix(second, at="2026-01-12")

    rows = UsageRecord.objects.order_by("id")
    assert [(row.quantity, row.superseded_by_id, row.handle) for row in rows] == [
        (10, second.id, first.id),
        (7, third.id, first.id),
        (7, None, first.id),
    ]
    assert {row.key for row in rows} == {"k"}
    assert rows[2].occurred_at == make.moment("2026-01-12")
    assert (rows[1].source, rows[1].recorded_by, rows[1].note) == ("panel", "finance", "typing error")


def test_a_retraction_keeps_the_key_so_that_a_late_retry_brings_nothing_back():
    line = make.line()
    first = make.use(line, "10", AT, key="k")
    make.take_back(first)

    with pytest.raises(ledger.DuplicateKey):
        make.use(line, "10", AT, key="k")
    with pytest.raises(ledger.RecordNotFound):
        make.take_back(first)

    assert list(UsageRecord.objects.live()) == []


@pytest.mark.parametrize("target", [RecordById(10**9), RecordByKey("salesbricks_v2", "unknown")])
def test_an_unknown_record_can_be_neither_corrected_nor_retracted(target):
    origin = origin_of(make.workspace())

    with pytest.raises(ledger.RecordNotFound):
        ledger.correct(command=CorrectUsage(origin=origin, target=target), recorded_at=make.moment(AT))
    with pytest.raises(ledger.RecordNotFound):
        ledger.retract(command=RetractUsage(origin=origin, target=target), recorded_at=make.moment(AT))


def test_another_workspaces_record_can_be_neither_corrected_nor_retracted():
    record = make.use(make.line(), "10", AT)
    stranger = origin_of(make.workspace("other"))

    with pytest.raises(ledger.RecordNotFound):
        ledger.retract(
            command=RetractUsage(origin=stranger, target=RecordById(record.handle)), recorded_at=make.moment(AT)
        )

    assert UsageRecord.objects.live().count() == 1


@pytest.mark.parametrize(
    ("quantity", "at", "error"),
    [
        ("-1", None, ledger.QuantityRefused),
        ("1e20", None, ledger.QuantityRefused),
        (None, "2025-01-01", ledger.OutsideLine),
    ],
)
def test_a_correction_is_checked_as_a_record_is(quantity, at, error):
    record = make.use(make.line(aggregation="unit_days"), "10", AT)

    with pytest.raises(error):
        make.fix(record, quantity, at=at)

    assert UsageRecord.objects.count() == 1
