"""Terms that can't be rated name the field at fault."""

from decimal import Decimal
from typing import Any

import pytest

from billing.rating.refusals import TermsError, check_number

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", [Decimal(0), Decimal("-1.5"), Decimal("1E+30")])
def test_a_finite_decimal_is_a_number(value):
    check_number("unit_price", value)


@pytest.mark.parametrize("value", [1, 1.5, "1", None, Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_anything_else_is_refused_by_its_field(value: Any):
    with pytest.raises(TermsError) as refusal:
        check_number("tiers[1].up_to", value)

    assert (refusal.value.field, refusal.value.problem) == ("tiers[1].up_to", f"{value!r} is not an exact number.")
    assert str(refusal.value) == f"tiers[1].up_to: {value!r} is not an exact number."
