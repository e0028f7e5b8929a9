import json
from decimal import Decimal

import pytest

from billing.rating import FLAT, GRADUATED, Terms, TermsError, Tier, read_terms

pytestmark = pytest.mark.once

TERMS = Terms(
    model=GRADUATED,
    currency="USD",
    tiers=(
        Tier(Decimal("3.50"), Decimal("0.00000000001"), Decimal("1E+2")),
        Tier(None, Decimal(15)),
    ),
)
GRADUATED_DATA = {
    "model": "graduated",
    "currency": "USD",
    "unit_price": "0",
    "tiers": [
        {"up_to": "3.5", "unit_price": "0.00000000001", "fee": "100"},
        {"up_to": None, "unit_price": "15", "fee": "0"},
    ],
}


def test_terms_are_written_for_json_with_numbers_as_plain_text():
    assert TERMS.as_dict() == GRADUATED_DATA


@pytest.mark.parametrize("terms", [TERMS, Terms(model=FLAT, currency="JPY", unit_price=Decimal("100.000"))])
def test_terms_read_back_from_json(terms):
    assert read_terms(json.loads(json.dumps(terms.as_dict()))) == terms


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"model": "stepwise"}, "model"),
        ({"model": None}, "model"),
        ({"currency": "ZZZ"}, "currency"),
        ({"unit_price": 5.5}, "unit_price"),
        ({"unit_price": "five"}, "unit_price"),
        ({"tiers": None}, "tiers"),
        ({"tiers": ["3"]}, "tiers[0]"),
        ({"tiers": [{"up_to": None}]}, "tiers[0].unit_price"),
        ({"tiers": [{"up_to": 3, "unit_price": "1"}]}, "tiers[0].up_to"),
        ({"tiers": [{"up_to": None, "unit_price": "1", "fee": "x"}]}, "tiers[0].fee"),
    ],
)
def test_terms_from_a_dict_name_the_field_at_fault(data, field):
    with pytest.raises(TermsError) as caught:
        read_terms({**GRADUATED_DATA, **data})
    assert caught.value.field == field
