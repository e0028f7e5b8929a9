from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from tests import factories as make
from tests.scenarios.closing import close
from usage import ledger
from usage.commands import (
    CorrectUsage,
    LineByBrick,
    LineByNumber,
    Origin,
    RecordById,
    RecordByKey,
    RecordUsage,
    RetractUsage,
)
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def origin_of(workspace, *, source="api", dialect="salesbricks_v2") -> Origin:
    return Origin(workspace_id=workspace.pk, source=source, dialect=dialect, recorded_by="key ark_live_x")


def test_a_record_keeps_what_was_sent():
    line = make.line()
    command = RecordUsage(
        origin=origin_of(line.workspace),
        address=LineByNumber(line.number),
        quantity=Decimal("7.25"),
        occurred_at=make.moment("2026-01-10 08:30", tz="America/New_York"),
        key="tx-1",
        note="by hand",
        properties={"region": "US", "cost": Decimal("0.1"), "big": 10**30},
    )

    told = ledger.record(command=command, recorded_at=make.moment("2026-01-11"))

    record = UsageRecord.objects.get()
    assert (record.pk, record.line_id, record.workspace_id) == (told.id, line.pk, line.workspace_id)
    assert (record.quantity, record.key, record.note) == (Decimal("7.25"), "tx-1", "by hand")
    assert (record.occurred_at, record.recorded_at) == (make.moment("2026-01-10 13:30"), make.moment("2026-01-11"))
    assert (record.source, record.dialect, record.recorded_by) == ("api", "salesbricks_v2", "key ark_live_x")
    assert record.properties == {"region": "US", "cost": Decimal("0.1"), "big": 10**30}
    assert (record.kind, record.is_late, record.superseded_by_id) == ("entry", False, None)


def test_recording_takes_one_statement():
    line = make.line()

    with CaptureQueriesContext(connection) as queries:
        make.use(line, "1", AT)

    assert len(queries) == 1


def test_a_line_is_found_by_subscription_and_brick_at_the_time_of_use():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"))
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
    )
    address = LineByBrick(line.subscription_id, line.brick_id)

    told = [
        ledger.record(
            command=RecordUsage(
                origin=origin_of(line.workspace), address=address, quantity=Decimal(1), occurred_at=make.moment(at)
            ),
            recorded_at=make.moment(at),
        )
        for at in ("2026-01-15 23:59:59.999999", "2026-01-16")
    ]

    assert [record.line_id for record in told] == [line.pk, dearer.pk]


# (quantity, message)
REFUSED_QUANTITIES = [
    ("1000000000000000", "Ensure that there are no more than 15 digits before the decimal point."),
    ("0.0000000001", "Ensure that there are no more than 9 decimal places."),
    ("1e400", "Ensure that there are no more than 15 digits before the decimal point."),
    ("1e-400", "Ensure that there are no more than 9 decimal places."),
    ("NaN", "A valid number is required."),
    ("-Infinity", "A valid number is required."),
]


@pytest.mark.parametrize(("quantity", "message"), REFUSED_QUANTITIES)
def test_a_quantity_that_would_not_be_kept_exactly_is_refused(quantity, message):
    line = make.line()

    with pytest.raises(ledger.QuantityRefused) as refusal:
        make.use(line, quantity, AT)

    assert refusal.value.message == message
    assert UsageRecord.objects.count() == 0


@pytest.mark.parametrize(
    "quantity", ["999999999999999.999999999", "-999999999999999.999999999", "1.50000000000000", "0"]
)
def test_a_counter_keeps_every_digit(quantity):
    line = make.line()
    make.use(line, quantity, AT)

    assert UsageRecord.objects.get().quantity == Decimal(quantity)


def test_a_gauge_is_not_negative():
    line = make.line(aggregation="unit_days")

    with pytest.raises(ledger.QuantityRefused, match="A gauge can't be negative"):
        make.use(line, "-1", AT)


def test_a_line_of_another_workspace_is_not_found():
    line = make.line()
    stranger = origin_of(make.workspace("other"))
    command = RecordUsage(
        origin=stranger, address=LineByNumber(line.number), quantity=Decimal(1), occurred_at=make.moment(AT)
    )

    with pytest.raises(ledger.LineNotFound):
        ledger.record(command=command, recorded_at=make.moment(AT))

    assert UsageRecord.objects.count() == 0


def test_a_line_that_is_not_metered_takes_no_usage():
    with pytest.raises(ledger.LineNotMetered):
        make.use(make.line(aggregation="none", model="flat"), "1", AT)


@pytest.mark.parametrize("at", ["2025-12-31 23:59:59.999999", "2026-03-01"])
def test_usage_outside_its_lines_life_is_refused(at):
    line = make.line(ends_on=date(2026, 3, 1))

    with pytest.raises(ledger.OutsideLine, match="only from 2026-01-01T00:00:00.00:00 until 2026-03-01T00"):
        make.use(line, "1", at)


def test_a_key_makes_one_record_per_workspace_and_dialect():
    line, other = make.line(), make.line(make.workspace("other"))
    first = make.use(line, "1", AT, key="k")
    make.use(line, "1", AT, key="k", dialect="sequence")
    make.use(other, "1", AT, key="k")

    with pytest.raises(ledger.DuplicateKey) as duplicate:
        make.use(line, "2", "2026-01-12", key="k")

    assert duplicate.value.record_id == first.id
    assert UsageRecord.objects.count() == 3


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


def test_usage_is_late_when_it_changes_a_closed_period():
    line = make.line()
    january = make.use(line, "10", AT)
    february = make.use(line, "10", "2026-02-10")
    close(line.workspace, "2026-02-01")

    changes = [
        make.use(line, "1", "2026-01-31 23:59"),
        make.use(line, "1", "2026-02-01"),
        make.fix(january, at="2026-02-10"),
        make.fix(february, "5"),
        make.fix(february, at=AT),
    ]

    assert [change.is_late for change in changes] == [True, False, True, False, True]


def test_a_line_does_not_end_before_its_last_usage():
    line = make.line()
    record = make.use(line, "1", "2026-01-20")

    with pytest.raises(contracts.UnableToAgree, match="Usage was recorded up to 2026-01-20"):
        contracts.end_line(line=line, ends_at=make.moment("2026-01-15"))
    make.take_back(record)
    contracts.end_line(line=line, ends_at=make.moment("2026-01-15"))

    line.refresh_from_db()
    assert line.ends_at == make.moment("2026-01-15")
