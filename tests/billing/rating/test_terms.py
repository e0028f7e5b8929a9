import json
from decimal import Decimal

import pytest

from billing.rating import PricingModel, Terms, TermsError, Tier

OPEN = Tier(up_to=None, unit_price=Decimal(15))


def tier(up_to, unit_price="1", fee="0"):
    return Tier(up_to=up_to and Decimal(up_to), unit_price=Decimal(unit_price), fee=Decimal(fee))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"model": "flat"}, "model"),
        ({"currency": "XAU"}, "currency"),
        ({"currency": ["USD"]}, "currency"),
        ({"unit_price": 5.0}, "unit_price"),
        ({"unit_price": Decimal("NaN")}, "unit_price"),
        ({"tiers": (OPEN,)}, "tiers"),
        ({"model": PricingModel.FLAT, "tiers": (OPEN,)}, "tiers"),
    ],
)
def test_terms_name_the_field_at_fault(given, field):
    with pytest.raises(TermsError) as caught:
        Terms(**{"model": PricingModel.PER_UNIT, "currency": "USD", "unit_price": Decimal(5), **given})
    assert caught.value.field == field


@pytest.mark.parametrize("model", [PricingModel.GRADUATED, PricingModel.VOLUME])
@pytest.mark.parametrize(
    ("tiers", "field"),
    [
        ((), "tiers"),
        ((tier("3"),), "tiers[0].up_to"),
        ((tier("3"), tier("8")), "tiers[1].up_to"),
        ((tier(None), tier("8")), "tiers[0].up_to"),
        ((tier(None), tier(None)), "tiers[0].up_to"),
        ((tier("0"), tier(None)), "tiers[0].up_to"),
        ((tier("-1"), tier(None)), "tiers[0].up_to"),
        ((tier("3"), tier("3"), tier(None)), "tiers[1].up_to"),
        ((tier("8"), tier("3"), tier(None)), "tiers[1].up_to"),
        ((tier("Infinity"), tier(None)), "tiers[0].up_to"),
        ((tier("3"), tier(None, "NaN")), "tiers[1].unit_price"),
        ((tier("3"), tier(None, "1", "Infinity")), "tiers[1].fee"),
    ],
)
def test_tiered_terms_name_the_field_at_fault(model, tiers, field):
    with pytest.raises(TermsError) as caught:
        Terms(model=model, currency="USD", tiers=tiers)
    assert caught.value.field == field


def test_tiered_terms_refuse_a_price_that_would_never_be_charged():
    with pytest.raises(TermsError) as caught:
        Terms(model=PricingModel.VOLUME, currency="USD", unit_price=Decimal(1), tiers=(OPEN,))
    assert caught.value.field == "unit_price"


GRADUATED = Terms(
    model=PricingModel.GRADUATED,
    currency="USD",
    tiers=(tier("3.50", "0.00000000001", "1E+2"), tier(None, "15")),
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
    assert GRADUATED.as_dict() == GRADUATED_DATA


@pytest.mark.parametrize(
    "terms", [GRADUATED, Terms(model=PricingModel.FLAT, currency="JPY", unit_price=Decimal("100.000"))]
)
def test_terms_read_back_from_json(terms):
    assert Terms.from_dict(json.loads(json.dumps(terms.as_dict()))) == terms


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
        Terms.from_dict({**GRADUATED_DATA, **data})
    assert caught.value.field == field
