from decimal import Decimal

import pytest

from billing.rating import FLAT, Coverage, Step, Terms, rate

pytestmark = pytest.mark.once


def flat(price, currency="USD"):
    return Terms(model=FLAT, currency=currency, unit_price=Decimal(price))


@pytest.mark.parametrize("quantity", ["0", "1", "10.5", "1000000"])
def test_flat_costs_its_price_whatever_the_quantity(quantity):
    charge = rate(terms=flat("99.50"), quantity=Decimal(quantity))
    assert charge.amount == Decimal("99.50")
    assert [step.text for step in charge.steps] == ["flat price = 99.50"]


@pytest.mark.parametrize(
    ("price", "currency", "days", "of_days", "amount"),
    [
        ("100", "USD", 31, 31, "100.00"),
        ("100", "USD", 15, 30, "50.00"),
        ("100", "USD", 15, 31, "48.39"),  # 48.387
        ("100", "USD", 1, 28, "3.57"),  # 3.5714
        ("100", "USD", 1, 3, "33.33"),
        ("200", "USD", 1, 3, "66.67"),
        ("0.05", "USD", 3, 30, "0.01"),  # 0.005 exactly: half up
        ("1000", "JPY", 17, 31, "548"),  # 548.387
        ("100", "KWD", 17, 31, "54.839"),  # 54.8387
    ],
)
def test_flat_is_prorated_by_calendar_days(price, currency, days, of_days, amount):
    charge = rate(terms=flat(price, currency), quantity=Decimal(1), coverage=Coverage(days, of_days))
    assert str(charge.amount) == amount


def test_flat_says_how_it_was_prorated():
    charge = rate(terms=flat("100"), quantity=Decimal(0), coverage=Coverage(15, 31))
    assert charge.steps == (
        Step("flat", "flat price = 100.00", None, Decimal(100), Decimal(100)),
        Step(
            "proration",
            "15 of 31 days: 100.00 x 15 / 31 = 48.387096774193",
            None,
            None,
            Decimal("-51.612903225807"),
        ),
    )


def test_flat_of_a_whole_window_has_no_step_of_proration():
    charge = rate(terms=flat("100"), quantity=Decimal(0), coverage=Coverage(31, 31))
    assert [step.kind for step in charge.steps] == ["flat"]
