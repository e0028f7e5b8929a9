"""The result of rating, as JSON keeps its steps."""

from decimal import Decimal

import pytest

from billing.rating.charge import Charge, Step

pytestmark = pytest.mark.once


def test_a_step_is_told_in_plain_numbers():
    step = Step(
        kind="units",
        text="1200 units x 0.10 = 120.00",
        quantity=Decimal("1.2E+3"),
        unit_price=Decimal("0.100"),
        amount=Decimal("120.0"),
        lower=Decimal(0),
        upper=Decimal("1E+4"),
    )

    assert step.as_dict() == {
        "kind": "units",
        "text": "1200 units x 0.10 = 120.00",
        "quantity": "1200",
        "unit_price": "0.1",
        "amount": "120",
        "lower": "0",
        "upper": "10000",
    }


def test_what_a_step_lacks_is_none():
    told = Step("fee", "fee = 5.00", None, None, Decimal(5)).as_dict()

    assert [told[name] for name in ("quantity", "unit_price", "lower", "upper")] == [None] * 4


def test_a_charge_surprises_nobody_unless_it_says_so():
    assert Charge(Decimal("1.00"), Decimal("0.999"), ()).surprise == ""
