from decimal import Decimal

import pytest

from billing.rating import VOLUME, Coverage, Terms, Tier, rate

pytestmark = pytest.mark.once


def volume(*tiers):
    return Terms(
        model=VOLUME,
        currency="USD",
        tiers=tuple(Tier(up_to and Decimal(up_to), Decimal(price), Decimal(fee)) for up_to, price, fee in tiers),
    )


WITHOUT_FEES = volume(("3", "40", "0"), ("8", "30", "0"), (None, "15", "0"))
WITH_FEES = volume(("3", "40", "5"), ("8", "30", "10"), (None, "15", "20"))


@pytest.mark.parametrize(
    ("quantity", "without_fees", "with_fees"),
    [
        ("0", "0", "0"),
        ("0.5", "20", "25"),  # 0.5 x 40, + 5
        ("2.999999999", "119.99999996", "124.99999996"),
        ("3", "120", "125"),  # the bound is in the lower tier
        ("3.000000001", "90.00000003", "100.00000003"),  # all at 30, + 10 and no other fee
        ("3.5", "105", "115"),
        ("7.999999999", "239.99999997", "249.99999997"),
        ("8", "240", "250"),
        ("8.000000001", "120.000000015", "140.000000015"),  # all at 15, + 20
        ("8.5", "127.5", "147.5"),
        ("10", "150", "170"),
    ],
)
def test_volume_prices_all_units_in_the_tier_the_total_falls_in(quantity, without_fees, with_fees):
    assert rate(terms=WITHOUT_FEES, quantity=Decimal(quantity)).unrounded == Decimal(without_fees)
    assert rate(terms=WITH_FEES, quantity=Decimal(quantity)).unrounded == Decimal(with_fees)


@pytest.mark.parametrize(
    ("quantity", "texts"),
    [
        ("0", ["0 units: no tier entered = 0.00"]),
        ("3", ["3 units (up to 3) x 40.00 = 120.00", "fee of the tier up to 3 = 5.00"]),
        ("8", ["8 units (above 3, up to 8) x 30.00 = 240.00", "fee of the tier above 3, up to 8 = 10.00"]),
        ("10", ["10 units (above 8) x 15.00 = 150.00", "fee of the tier above 8 = 20.00"]),
    ],
)
def test_volume_tells_the_tier(quantity, texts):
    charge = rate(terms=WITH_FEES, quantity=Decimal(quantity))
    assert [step.text for step in charge.steps] == texts


def test_volume_with_one_tier_names_no_bounds():
    charge = rate(terms=volume((None, "5", "1")), quantity=Decimal(10))
    assert [step.text for step in charge.steps] == ["10 units x 5.00 = 50.00", "fee = 1.00"]


def test_volume_is_not_prorated():
    charge = rate(terms=WITH_FEES, quantity=Decimal(10), coverage=Coverage(1, 31))
    assert charge.amount == Decimal(170)
