from dataclasses import replace
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import minor_digits
from billing.rating import (
    FLAT,
    GRADUATED,
    MODELS,
    PER_UNIT,
    VOLUME,
    Coverage,
    Terms,
    Tier,
    model_named,
    rate,
)

pytestmark = pytest.mark.once

quantities = st.decimals(min_value=0, max_value=10**12, places=9, allow_nan=False)
prices = st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False)
currencies = st.sampled_from(["JPY", "USD", "KWD", "CLF"])
coverages = st.none() | st.tuples(st.integers(1, 366), st.integers(0, 365)).map(
    lambda days: Coverage(days[0], sum(days))
)
NO_FEE = st.just(Decimal(0))


@st.composite
def tiers(draw, fees=prices):
    bounds = draw(st.lists(quantities.filter(bool), max_size=4, unique=True).map(sorted))
    return tuple(Tier(bound, draw(prices), draw(fees)) for bound in [*bounds, None])


def without_zeros(terms: Terms) -> Terms:
    """Return the terms as they are read from a document: 1.50 as 1.5, and 100 as 1E+2."""
    tiers = tuple(
        Tier(tier.up_to and tier.up_to.normalize(), tier.unit_price.normalize(), tier.fee.normalize())
        for tier in terms.tiers
    )
    return replace(terms, unit_price=terms.unit_price.normalize(), tiers=tiers)


def tiered_terms(model, fees=prices):
    return st.builds(Terms, model=st.just(model), currency=currencies, tiers=tiers(fees))


def untiered_terms(model):
    return st.builds(Terms, model=st.just(model), currency=currencies, unit_price=prices)


any_terms = st.one_of(*(tiered_terms(model) if model.is_tiered else untiered_terms(model) for model in MODELS))
graduated_without_fees = tiered_terms(GRADUATED, NO_FEE)


def cost(terms, quantity):
    return Fraction(rate(terms=terms, quantity=quantity).unrounded)


@pytest.mark.parametrize(
    ("model", "amount"), [("flat", "5.00"), ("per_unit", "0.00"), ("graduated", "0.00"), ("volume", "0.00")]
)
def test_negative_quantity_is_rated_as_zero_and_is_a_surprise(model, amount):
    tiered = model_named(model).is_tiered
    terms = Terms(
        model=model_named(model),
        currency="USD",
        unit_price=Decimal(0 if tiered else 5),
        tiers=(Tier(None, Decimal(5), Decimal(1)),) if tiered else (),
    )
    charge = rate(terms=terms, quantity=Decimal("-3.5"))
    assert str(charge.amount) == amount
    assert charge.surprise == "negative quantity rated as zero"
    assert (charge.steps[0].kind, charge.steps[0].text) == (
        "negative",
        "negative quantity -3.5 rated as zero",
    )
    assert (charge.steps[0].quantity, charge.steps[0].amount) == (Decimal("-3.5"), 0)
    assert charge.steps[1:] == rate(terms=terms, quantity=Decimal(0)).steps


@pytest.mark.parametrize("quantity", ["0", "-0", "0E-9", "1"])
def test_other_quantities_are_no_surprise(quantity):
    terms = Terms(model=PER_UNIT, currency="USD", unit_price=Decimal(5))
    assert rate(terms=terms, quantity=Decimal(quantity)).surprise == ""


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "-Infinity"])
def test_rate_refuses_what_is_no_quantity(quantity):
    terms = Terms(model=FLAT, currency="USD", unit_price=Decimal(5))
    with pytest.raises(ValueError, match="cannot be rated"):
        rate(terms=terms, quantity=Decimal(quantity))


@given(any_terms, quantities, coverages)
def test_steps_add_up_and_are_rounded_once(terms, quantity, coverage):
    charge = rate(terms=terms, quantity=quantity, coverage=coverage)
    assert sum(Fraction(step.amount) for step in charge.steps) == Fraction(charge.unrounded)
    minor_unit = Fraction(1, 10 ** minor_digits(terms.currency))
    assert abs(Fraction(charge.amount) - Fraction(charge.unrounded)) <= minor_unit / 2


@given(any_terms, quantities, coverages)
def test_steps_of_units_are_quantity_times_price(terms, quantity, coverage):
    for step in rate(terms=terms, quantity=quantity, coverage=coverage).steps:
        if step.quantity is not None and step.unit_price is not None:
            assert Fraction(step.amount) == Fraction(step.quantity) * Fraction(step.unit_price)


@given(any_terms, quantities, coverages)
def test_rate_does_not_depend_on_the_decimal_context(terms, quantity, coverage):
    charge = rate(terms=terms, quantity=quantity, coverage=coverage)
    with localcontext(Context(prec=5)):
        assert rate(terms=terms, quantity=quantity, coverage=coverage) == charge


@given(any_terms, quantities, coverages)
def test_numbers_kept_without_their_zeros_give_the_same_breakdown_to_the_letter(terms, quantity, coverage):
    charge = rate(terms=terms, quantity=quantity, coverage=coverage)
    again = rate(terms=without_zeros(terms), quantity=quantity.normalize(), coverage=coverage)
    assert again.steps == charge.steps
    assert str(again.amount) == str(charge.amount)


@given(any_terms)
def test_zero_costs_nothing_except_flat(terms):
    expected = terms.unit_price if terms.model is FLAT else 0
    assert rate(terms=terms, quantity=Decimal(0)).unrounded == expected


@given(untiered_terms(PER_UNIT), quantities, st.sampled_from(["volume", "graduated"]))
def test_one_tier_without_fee_is_per_unit(per_unit, quantity, model):
    tiered = replace(
        per_unit,
        model=model_named(model),
        unit_price=Decimal(0),
        tiers=(Tier(None, per_unit.unit_price),),
    )
    assert cost(tiered, quantity) == cost(per_unit, quantity)


@given(graduated_without_fees, quantities, quantities)
def test_graduated_without_fees_is_monotone_and_continuous(terms, one, other):
    less, more = sorted((one, other))
    rise = cost(terms, more) - cost(terms, less)
    dearest = max(Fraction(tier.unit_price) for tier in terms.tiers)
    assert 0 <= rise <= dearest * (Fraction(more) - Fraction(less))


@given(graduated_without_fees, quantities, quantities)
def test_splitting_never_saves_where_graduated_prices_fall(terms, one, other):
    falling = sorted((tier.unit_price for tier in terms.tiers), reverse=True)
    terms = replace(
        terms,
        tiers=tuple(replace(tier, unit_price=price) for tier, price in zip(terms.tiers, falling, strict=True)),
    )
    assert cost(terms, one) + cost(terms, other) >= cost(terms, one + other)


@given(tiered_terms(GRADUATED), quantities)
def test_graduated_covers_every_unit_once(terms, quantity):
    units = [step.quantity for step in rate(terms=terms, quantity=quantity).steps if step.kind == "units"]
    assert sum(Fraction(part or 0) for part in units) == Fraction(quantity)


@given(tiered_terms(VOLUME), quantities.filter(bool))
def test_volume_charges_the_one_tier_that_holds_the_total(terms, quantity):
    units, *fee = rate(terms=terms, quantity=quantity).steps
    assert units.lower < quantity
    assert units.upper is None or quantity <= units.upper
    assert units.quantity == quantity
    assert len(fee) <= 1
