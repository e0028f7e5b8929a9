from decimal import Decimal

import pytest

from billing.rating import GRADUATED, Coverage, Terms, Tier, rate

pytestmark = pytest.mark.once


def graduated(*tiers):
    return Terms(
        model=GRADUATED,
        currency="USD",
        tiers=tuple(Tier(up_to and Decimal(up_to), Decimal(price), Decimal(fee)) for up_to, price, fee in tiers),
    )


WITHOUT_FEES = graduated(("3", "40", "0"), ("8", "30", "0"), (None, "15", "0"))
WITH_FEES = graduated(("3", "40", "5"), ("8", "30", "10"), (None, "15", "20"))


@pytest.mark.parametrize(
    ("quantity", "without_fees", "with_fees"),
    [
        ("0", "0", "0"),
        ("0.5", "20", "25"),  # 0.5 x 40, + 5
        ("2", "80", "85"),
        ("2.999999999", "119.99999996", "124.99999996"),
        ("3", "120", "125"),  # the bound is in the lower tier
        ("3.000000001", "120.00000003", "135.00000003"),  # entered: + 10
        ("3.5", "135", "150"),  # 3 x 40 + 0.5 x 30, + 5 + 10
        ("4", "150", "165"),
        ("7.999999999", "269.99999997", "284.99999997"),
        ("8", "270", "285"),  # 3 x 40 + 5 x 30, + 5 + 10
        ("8.000000001", "270.000000015", "305.000000015"),  # entered: + 20
        ("8.5", "277.5", "312.5"),
        ("10", "300", "335"),  # 3 x 40 + 5 x 30 + 2 x 15, + 5 + 10 + 20
        ("1008", "15270", "15305"),
    ],
)
def test_graduated_prices_each_tiers_units_and_adds_the_fee_of_each_tier_entered(quantity, without_fees, with_fees):
    assert rate(terms=WITHOUT_FEES, quantity=Decimal(quantity)).unrounded == Decimal(without_fees)
    assert rate(terms=WITH_FEES, quantity=Decimal(quantity)).unrounded == Decimal(with_fees)


@pytest.mark.parametrize(
    ("quantity", "texts"),
    [
        ("0", ["0 units: no tier entered = 0.00"]),
        ("1", ["1 unit (up to 3) x 40.00 = 40.00", "fee of the tier up to 3 = 5.00"]),
        (
            "10.25",
            [
                "3 units (up to 3) x 40.00 = 120.00",
                "fee of the tier up to 3 = 5.00",
                "5 units (above 3, up to 8) x 30.00 = 150.00",
                "fee of the tier above 3, up to 8 = 10.00",
                "2.25 units (above 8) x 15.00 = 33.75",
                "fee of the tier above 8 = 20.00",
            ],
        ),
    ],
)
def test_graduated_tells_each_tier(quantity, texts):
    charge = rate(terms=WITH_FEES, quantity=Decimal(quantity))
    assert [step.text for step in charge.steps] == texts


def test_graduated_steps_carry_the_bounds():
    charge = rate(terms=WITHOUT_FEES, quantity=Decimal(10))
    assert [(step.quantity, step.unit_price, step.amount, step.lower, step.upper) for step in charge.steps] == [
        (3, 40, 120, 0, 3),
        (5, 30, 150, 3, 8),
        (2, 15, 30, 8, None),
    ]


def test_graduated_included_units_are_a_tier_at_zero():
    charge = rate(terms=graduated(("100", "0", "0"), (None, "0.02", "0")), quantity=Decimal(150))
    assert charge.amount == Decimal("1.00")
    assert [step.text for step in charge.steps] == [
        "100 units (up to 100) x 0.00 = 0.00",
        "50 units (above 100) x 0.02 = 1.00",
    ]


def test_graduated_is_rounded_once_and_not_per_tier():
    # 0.004 + 0.004 + 0.004 = 0.012, whereas three roundings would give nothing.
    terms = graduated(("1", "0.004", "0"), ("2", "0.004", "0"), (None, "0.004", "0"))
    assert rate(terms=terms, quantity=Decimal(3)).amount == Decimal("0.01")


def test_graduated_is_not_prorated():
    charge = rate(terms=WITH_FEES, quantity=Decimal(10), coverage=Coverage(1, 31))
    assert charge.amount == Decimal(335)
