"""The distinct values of a property."""

from decimal import Decimal

import pytest

from tests.usage.metering.windows import measured, sent

pytestmark = pytest.mark.django_db


def test_distinct_values_are_told_apart_as_text(globex):
    same = [
        [1, Decimal("1.0"), "1", Decimal("1e0")],
        [True, "true"],
        [0, Decimal("-0.0"), "0"],
        [10**20, "1" + "0" * 20],
    ]
    different = ["", " ", "a", "A", "ä", "1.0", Decimal("0.5"), Decimal("123456789.123456789123456789123456789123")]
    for value in [value for values in same for value in values] + different:
        sent(globex, user=value)
    for nothing in (None, [1], {"a": 1}):
        sent(globex, user=nothing)
    sent(globex)

    assert measured(globex, "unique", property="user") == f"{len(same) + len(different)} of 23"
