"""The result of rating."""

from decimal import Decimal

import pytest

from billing.rating.charge import Charge

pytestmark = pytest.mark.once


def test_a_charge_surprises_nobody_unless_it_says_so():
    assert Charge(Decimal("1.00"), Decimal("0.999"), ()).surprise == ""
