from decimal import Decimal

import pytest

from billing.rating import PER_UNIT, Coverage, Terms, rate

pytestmark = pytest.mark.once


def per_unit(price, currency="USD"):
    return Terms(model=PER_UNIT, currency=currency, unit_price=Decimal(price))


@pytest.mark.parametrize(
    ("quantity", "price", "currency", "amount", "text"),
    [
        ("10", "5", "USD", "50.00", "10 units x 5.00 = 50.00"),
        ("113", "2", "USD", "226.00", "113 units x 2.00 = 226.00"),
        ("26", "2", "USD", "52.00", "26 units x 2.00 = 52.00"),
        ("1", "2", "USD", "2.00", "1 unit x 2.00 = 2.00"),
        ("0", "2", "USD", "0.00", "0 units x 2.00 = 0.00"),
        ("0.5", "0.01", "USD", "0.01", "0.5 units x 0.01 = 0.005"),
        ("0.499999999", "0.01", "USD", "0.00", "0.499999999 units x 0.01 = 0.00499999999"),
        ("1.5", "1", "JPY", "2", "1.5 units x 1 = 1.5"),
        ("3", "0.0005", "KWD", "0.002", "3 units x 0.0005 = 0.0015"),
        (
            "999999999999999.999999999",
            "0.000000000001",
            "USD",
            "1000.00",
            "999999999999999.999999999 units x 0.000000000001 = 999.999999999999999999999",
        ),
    ],
)
def test_per_unit_is_quantity_times_price(quantity, price, currency, amount, text):
    charge = rate(terms=per_unit(price, currency), quantity=Decimal(quantity))
    assert str(charge.amount) == amount
    assert [step.text for step in charge.steps] == [text]


def test_per_unit_is_exact_where_the_default_context_rounds_at_28_digits():
    charge = rate(terms=per_unit("123456789012.345678901234"), quantity=Decimal("123456789012345.123456789"))
    assert charge.unrounded == Decimal("15241578753238768177107556.898340608901397777626")


def test_per_unit_is_not_prorated():
    charge = rate(terms=per_unit("5"), quantity=Decimal(10), coverage=Coverage(1, 31))
    assert charge.amount == Decimal(50)
