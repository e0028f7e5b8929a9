"""The total of a property: exact, of numbers alone."""

from decimal import Decimal

import pytest

from tests.usage.metering.windows import measured, sent

pytestmark = pytest.mark.django_db


def test_a_sum_adds_numbers_and_passes_over_the_rest(globex):
    numbers = [500, Decimal("0.1"), "0.2", "-3", "007", Decimal("1e3"), Decimal("-1.50"), -(10**14)]
    rest = ["", "abc", "1e3", "+1", "1.", ".5", " 1", "1\n", "١", "0x10", "NaN", True, None, [5], {"n": 5}, "1" * 16]
    too_large = [10**15, Decimal("1e15"), Decimal("-1e500")]
    for value in [*numbers, *rest, *too_large]:
        sent(globex, n=value)
    sent(globex)

    total = Decimal("500.1") + Decimal("0.2") - 3 + 7 + 1000 - Decimal("1.5") - 10**14
    assert measured(globex, "sum", property="n") == f"{total:f} of {len(numbers + rest + too_large) + 1}"


def test_a_sum_is_exact_and_rounded_half_up_once(globex):
    # Each alone would be rounded away; together they are half of the last place.
    for _ in range(5):
        sent(globex, n=Decimal("0.0000000001"))
    sent(globex, n="123456789012345.123456789")

    assert measured(globex, "sum", property="n") == "123456789012345.12345679 of 6"


def test_a_sum_reads_numbers_with_any_number_of_decimals(globex):
    # 2.00...01 with 101, 1,000 and 15,998 decimals, and one beyond what is read.
    for zeros in (100, 999, 15_997, 15_999):
        sent(globex, n=f"2.{'0' * zeros}1")
    sent(globex, n=Decimal(f"2.{'0' * 998}1"))

    assert measured(globex, "sum", property="n") == "8 of 5"


def test_a_sum_of_many_decimals_is_rounded_once(globex):
    # 0.0000000004999...9 and 0.000...01 are 0.0000000005 together, which is half of the last place; alone, each is 0.
    sent(globex, n=f"0.0000000004{'9' * 200}")
    assert measured(globex, "sum", property="n") == "0 of 1"
    sent(globex, n=f"0.{'0' * 209}1")
    assert measured(globex, "sum", property="n") == "0.000000001 of 2"


def test_a_negative_sum_is_rounded_away_from_zero(globex):
    sent(globex, n=Decimal("-0.0000000005"))

    assert measured(globex, "sum", property="n") == "-0.000000001 of 1"
