"""The steps of a breakdown, in the words that finance reads."""

from decimal import Decimal

import pytest

from billing.rating.steps import no_tier_entered, steps_in_tier, units_step
from billing.rating.tiers import Tier

pytestmark = pytest.mark.once


def tier(up_to: str | None, unit_price: str, fee: str = "0") -> Tier:
    return Tier(up_to=None if up_to is None else Decimal(up_to), unit_price=Decimal(unit_price), fee=Decimal(fee))


@pytest.mark.parametrize(
    ("units", "unit_price", "currency", "text", "amount"),
    [
        ("1", "2", "USD", "1 unit x 2.00 = 2.00", "2"),
        ("0", "2", "USD", "0 units x 2.00 = 0.00", "0"),
        ("2.5", "0.0015", "USD", "2.5 units x 0.0015 = 0.00375", "0.00375"),
        ("3", "120", "JPY", "3 units x 120 = 360", "360"),
        ("3", "1.5", "KWD", "3 units x 1.500 = 4.500", "4.5"),
    ],
)
def test_units_at_one_price(units, unit_price, currency, text, amount):
    step = units_step(units=Decimal(units), unit_price=Decimal(unit_price), currency=currency)

    assert (step.kind, step.text, step.amount) == ("units", text, Decimal(amount))
    assert (step.quantity, step.unit_price) == (Decimal(units), Decimal(unit_price))


@pytest.mark.parametrize(
    ("of", "lower", "texts"),
    [
        (tier("10", "5"), "0", ["7 units (up to 10) x 5.00 = 35.00"]),
        (
            tier("20", "4", fee="1"),
            "10",
            ["7 units (above 10, up to 20) x 4.00 = 28.00", "fee of the tier above 10, up to 20 = 1.00"],
        ),
        (tier(None, "3", fee="2"), "20", ["7 units (above 20) x 3.00 = 21.00", "fee of the tier above 20 = 2.00"]),
        # The only tier has no bounds to tell.
        (tier(None, "3", fee="2"), "0", ["7 units x 3.00 = 21.00", "fee = 2.00"]),
    ],
)
def test_a_tier_is_its_units_and_its_fee(of, lower, texts):
    steps = steps_in_tier(of, units=Decimal(7), lower=Decimal(lower), currency="USD")

    assert [step.text for step in steps] == texts
    assert [step.kind for step in steps] == ["units", "fee"][: len(texts)]
    assert {(step.lower, step.upper) for step in steps} == {(Decimal(lower), of.up_to)}
    assert sum(step.amount for step in steps) == 7 * of.unit_price + of.fee


def test_where_nothing_is_charged_a_step_says_why():
    step = no_tier_entered("EUR")

    assert (step.kind, step.text, step.amount) == ("units", "0 units: no tier entered = 0.00", 0)
    assert (step.quantity, step.unit_price) == (0, None)
