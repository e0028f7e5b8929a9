from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from usage import ledger
from usage.metering import Measurement, Window, measure

pytestmark = pytest.mark.django_db

EVER = 10**12


def window(line, starts: str = "2026-01-01", ends: str = "2026-02-01", *, cutoff: int = EVER) -> Window:
    return Window(
        workspace_id=line.workspace_id,
        aggregation=line.brick.aggregation,
        line_id=line.pk,
        starts_at=make.moment(starts),
        ends_at=make.moment(ends),
        cutoff=cutoff,
    )


def quantity(*windows: Window) -> list[str]:
    return [f"{one.quantity.normalize():f}" for one in measure(windows)]


@pytest.mark.parametrize("aggregation", ["sum", "unit_days"])
def test_no_record_is_zero(aggregation):
    assert measure([window(make.line(aggregation=aggregation))]) == [Measurement(Decimal(0), 0)]


def test_sum_counts_the_start_and_not_the_end_of_the_window():
    line = make.line()
    for at in ("2026-01-31 23:59:59.999999", "2026-02-01", "2026-02-28 23:59:59.999999", "2026-03-01"):
        make.use(line, "1", at)

    assert measure([window(line, "2026-02-01", "2026-03-01")]) == [Measurement(Decimal(2), 2)]


def test_sum_is_exact_where_floats_are_not():
    line = make.line()
    for number in ["0.1", "0.2", "123456789012345.123456789", "-0.000000001"]:
        make.use(line, number, "2026-01-10")

    assert quantity(window(line)) == ["123456789012345.423456788"]


def test_sum_of_more_digits_than_a_decimal_context_keeps():
    line = make.line()
    for _ in range(30):
        make.use(line, "999999999999999.999999999", "2026-01-10")

    assert quantity(window(line)) == ["29999999999999999.99999997"]


def test_a_record_superseded_after_the_cutoff_still_counts_as_of_it():
    line = make.line()
    first = make.use(line, "10", "2026-01-10")
    before = ledger.last_id(workspace_id=line.workspace_id)
    corrected = make.fix(first, "7")
    between = ledger.last_id(workspace_id=line.workspace_id)
    make.take_back(corrected)

    assert quantity(
        window(line, cutoff=first.id - 1), window(line, cutoff=before), window(line, cutoff=between), window(line)
    ) == ["0", "10", "7", "0"]


def test_a_correction_moves_a_record_to_another_period():
    line = make.line()
    record = make.use(line, "10", "2026-01-10")
    make.fix(record, at="2026-02-10")

    assert quantity(window(line), window(line, "2026-02-01", "2026-03-01")) == ["0", "10"]


# The gauge: value x time it stood. (records, window, unit-days)
VENDORS_EXAMPLE = [("3", "2026-01-01"), ("4", "2026-01-07"), ("8", "2026-01-15"), ("5", "2026-01-21")]
GAUGES = [
    (VENDORS_EXAMPLE, ("2026-01-01", "2026-01-24"), "113"),
    ([("2", "2026-01-01")], ("2026-01-01", "2026-02-01"), "62"),
    ([("2", "2026-01-01")], ("2026-02-01", "2026-03-01"), "56"),
    ([("2", "2026-01-01"), ("0", "2026-02-15")], ("2026-02-01", "2026-03-01"), "28"),
    ([("1", "2026-01-31 18:00")], ("2026-01-01", "2026-02-01"), "0.25"),
    ([("1", "2026-01-31 23:59:59.999999")], ("2026-01-01", "2026-02-01"), "0"),
    ([("86400", "2026-01-31 23:59:59.999999")], ("2026-01-01", "2026-02-01"), "0.000001"),
    ([("1", "2026-01-31 16:00")], ("2026-01-01", "2026-02-01"), "0.333333333"),
    ([("2", "2026-01-31 16:00")], ("2026-01-01", "2026-02-01"), "0.666666667"),
    ([("5", "2026-02-01")], ("2026-01-01", "2026-02-01"), "0"),
    ([("5", "2026-01-11"), ("9", "2026-01-11")], ("2026-01-01", "2026-01-21"), "90"),
]


@pytest.mark.parametrize(("records", "span", "expected"), GAUGES)
def test_unit_days_is_value_times_the_days_it_stood(records, span, expected):
    line = make.line(aggregation="unit_days")
    for value, at in records:
        make.use(line, value, at)

    assert quantity(window(line, *span)) == [expected]


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [("2026-03-29", "2026-03-30", "0.958333333"), ("2026-10-25", "2026-10-26", "1.041666667")],
)
def test_a_day_of_23_or_25_hours_counts_its_hours(starts, ends, expected):
    tz = "Europe/Berlin"
    line = make.line(make.workspace(time_zone=tz), aggregation="unit_days")
    make.use(line, "1", "2026-01-01", tz=tz)
    day = Window(line.workspace_id, "unit_days", line.pk, make.moment(starts, tz=tz), make.moment(ends, tz=tz), EVER)

    assert quantity(day) == [expected]


def test_a_gauges_opening_value_is_read_as_of_the_cutoff():
    line = make.line(aggregation="unit_days")
    opening = make.use(line, "2", "2026-01-10")
    make.use(line, "4", "2026-01-20")

    february = window(line, "2026-02-01", "2026-03-01", cutoff=opening.id)

    assert measure([february]) == [Measurement(Decimal(56), 0)]


def test_records_of_other_lines_do_not_count():
    owner = make.workspace()
    one, other = make.line(owner), make.line(owner)
    make.use(one, "1", "2026-01-10")
    make.use(other, "20", "2026-01-10")

    assert quantity(window(one), window(other), window(one)) == ["1", "20", "1"]


def test_a_brick_that_is_not_metered_is_one():
    line = make.line(aggregation="none", model="flat")

    assert measure([window(line)]) == [Measurement(Decimal(1), 0)]


def test_any_number_of_windows_takes_one_query_per_aggregation():
    owner = make.workspace()
    lines = [make.line(owner, aggregation=aggregation) for aggregation in ["sum", "unit_days"] * 3]
    for line in lines:
        make.use(line, "1", "2026-01-10")

    with CaptureQueriesContext(connection) as queries:
        measure([window(line) for line in lines for _ in range(10)])

    assert len(queries) == 2


def test_splitting_a_window_keeps_the_sum():
    line = make.line(aggregation="unit_days")
    make.use(line, "7", "2026-01-03 05:00")
    make.use(line, "3", "2026-01-20 01:30")
    whole = measure([window(line)])[0].quantity
    cut = make.moment("2026-01-15")

    parts = measure(
        [
            Window(line.workspace_id, "unit_days", line.pk, make.moment("2026-01-01"), cut, EVER),
            Window(line.workspace_id, "unit_days", line.pk, cut, make.moment("2026-02-01"), EVER),
        ]
    )

    assert abs(sum((part.quantity for part in parts), Decimal(0)) - whole) <= Decimal("1e-9")
