"""The counter: the exact total of a window."""

from decimal import Decimal

import pytest

from tests import factories as make
from tests.usage.metering.windows import quantities, window_of
from usage.metering import Measurement, measure

pytestmark = pytest.mark.django_db


def test_sum_counts_the_start_and_not_the_end_of_the_window():
    line = make.line()
    for at in ("2026-01-31 23:59:59.999999", "2026-02-01", "2026-02-28 23:59:59.999999", "2026-03-01"):
        make.use(line, "1", at)

    assert measure([window_of(line, "2026-02-01", "2026-03-01")]) == [Measurement(Decimal(2), 2)]


def test_sum_is_exact_where_floats_are_not():
    line = make.line()
    for number in ["0.1", "0.2", "123456789012345.123456789", "-0.000000001"]:
        make.use(line, number, "2026-01-10")

    assert quantities(window_of(line)) == ["123456789012345.423456788"]


def test_sum_of_more_digits_than_a_decimal_context_keeps():
    line = make.line()
    for _ in range(30):
        make.use(line, "999999999999999.999999999", "2026-01-10")

    assert quantities(window_of(line)) == ["29999999999999999.99999997"]
