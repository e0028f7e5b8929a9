"""The cost of a quantity within one linear piece of a price."""

from decimal import Decimal

import pytest

from billing.rating.pieces import Piece

pytestmark = pytest.mark.once

# Beyond 10 units: 50 for the first ten and a fee of 1, then 4 a unit.
SECOND = Piece(lower=Decimal(10), upper=Decimal(20), start=Decimal(51), unit_price=Decimal(4))


@pytest.mark.parametrize(
    ("quantity", "cost"), [("10.000000001", "51.000000004"), ("11", "55"), ("12.5", "61"), ("20", "91")]
)
def test_a_piece_costs_its_start_and_each_unit_beyond_its_lower_bound(quantity, cost):
    assert SECOND.cost(Decimal(quantity)) == Decimal(cost)


def test_a_cost_has_more_digits_than_a_decimal_context_keeps():
    piece = Piece(Decimal(0), None, Decimal("0.000000000001"), Decimal("999999999999.999999999999"))

    # (10^24 - 1)^2 / 10^21 = 10^27 - 2000 + 10^-21, and the start.
    assert piece.cost(Decimal("999999999999999.999999999")) == Decimal(
        "999999999999999999999998000.000000000001000000001"
    )
