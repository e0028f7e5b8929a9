from decimal import Decimal

import pytest

from billing.rating import FLAT, GRADUATED, PER_UNIT, VOLUME, Terms, TermsError, Tier

pytestmark = pytest.mark.once

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
        ({"model": FLAT, "tiers": (OPEN,)}, "tiers"),
    ],
)
def test_terms_name_the_field_at_fault(given, field):
    with pytest.raises(TermsError) as caught:
        Terms(**{"model": PER_UNIT, "currency": "USD", "unit_price": Decimal(5), **given})
    assert caught.value.field == field


@pytest.mark.parametrize("model", [GRADUATED, VOLUME])
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
        Terms(model=VOLUME, currency="USD", unit_price=Decimal(1), tiers=(OPEN,))
    assert caught.value.field == "unit_price"


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"model": "flat"}, "'flat' is not a pricing model."),
        ({"currency": 7}, "7 is not a currency."),
        ({"currency": "XXX"}, "'XXX' is not a currency with a minor unit."),
        ({"tiers": (OPEN,)}, "a per_unit price has no tiers."),
        ({"model": VOLUME}, "the tiers of a volume price have its prices."),
        ({"model": VOLUME, "unit_price": Decimal(0)}, "at least one tier is required."),
        (
            {"model": VOLUME, "unit_price": Decimal(0), "tiers": (tier(None), tier("8"))},
            "only the last tier can be open.",
        ),
        (
            {"model": VOLUME, "unit_price": Decimal(0), "tiers": (tier("3"),)},
            "the last tier must be open, without a bound.",
        ),
        ({"model": VOLUME, "unit_price": Decimal(0), "tiers": (tier("3"), tier("3"), tier(None))}, "must be above 3."),
    ],
)
def test_terms_say_what_is_wrong_with_them(terms, message):
    with pytest.raises(TermsError) as caught:
        Terms(**{"model": PER_UNIT, "currency": "USD", "unit_price": Decimal(5), **terms})

    assert caught.value.problem == message
