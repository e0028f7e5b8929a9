"""The gauge: value x the days that it stood."""

from decimal import Decimal

import pytest

from tests import factories as make
from tests.usage.metering.windows import EVER, quantities, window_of
from usage.metering import Measurement, Window, measure

pytestmark = pytest.mark.django_db

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

    assert quantities(window_of(line, *span)) == [expected]


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [("2026-03-29", "2026-03-30", "0.958333333"), ("2026-10-25", "2026-10-26", "1.041666667")],
)
def test_a_day_of_23_or_25_hours_counts_its_hours(starts, ends, expected):
    tz = "Europe/Berlin"
    line = make.line(make.workspace(time_zone=tz), aggregation="unit_days")
    make.use(line, "1", "2026-01-01", tz=tz)
    day = Window(line.workspace_id, "unit_days", line.pk, make.moment(starts, tz=tz), make.moment(ends, tz=tz), EVER)

    assert quantities(day) == [expected]


def test_a_gauges_opening_value_is_read_as_of_the_cutoff():
    line = make.line(aggregation="unit_days")
    opening = make.use(line, "2", "2026-01-10")
    make.use(line, "4", "2026-01-20")

    february = window_of(line, "2026-02-01", "2026-03-01", cutoff=opening.id)

    assert measure([february]) == [Measurement(Decimal(56), 0)]


def test_splitting_a_window_keeps_the_sum():
    line = make.line(aggregation="unit_days")
    make.use(line, "7", "2026-01-03 05:00")
    make.use(line, "3", "2026-01-20 01:30")
    whole = measure([window_of(line)])[0].quantity
    cut = make.moment("2026-01-15")

    parts = measure(
        [
            Window(line.workspace_id, "unit_days", line.pk, make.moment("2026-01-01"), cut, EVER),
            Window(line.workspace_id, "unit_days", line.pk, cut, make.moment("2026-02-01"), EVER),
        ]
    )

    assert abs(sum((part.quantity for part in parts), Decimal(0)) - whole) <= Decimal("1e-9")
