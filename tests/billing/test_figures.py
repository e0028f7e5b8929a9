"""How figures are written for people, in each format of numbers."""

from decimal import Decimal

import pytest

from billing import figures
from billing.entry.numbers import NumberFormat
from billing.templatetags import figures as filters


@pytest.mark.parametrize(
    ("style", "written"),
    [
        (NumberFormat.POINT, "KWD 1,234.125"),
        (NumberFormat.COMMA, "KWD 1.234,125"),
        (NumberFormat.SPACE, "KWD 1\xa0234,125"),
    ],
)
def test_money_has_its_currencys_decimals_and_the_workspaces_marks(style, written):
    assert figures.money(Decimal("1234.125"), "KWD", style) == written


def test_counts_are_grouped():
    assert figures.count(1234567, NumberFormat.COMMA) == "1.234.567"
    assert filters.spelled(1234567, "point") == "1,234,567"


def test_what_is_nothing_stays_a_dash():
    assert filters.spelled(filters.money(None, "USD"), "comma") == "–"
    assert figures.quantity(None, NumberFormat.COMMA) == "–"


def test_an_amount_that_is_not_rounded_has_its_currencys_decimals_at_least():
    assert filters.price(Decimal("0.5"), "KWD") == "0.500"
    assert filters.price(Decimal("0.00025"), "USD") == "0.00025"


def test_the_arithmetic_of_a_step_is_written_number_by_number():
    text = "17801 units (above 10000, up to 50000) x 0.0015 = 26.7015"

    assert filters.arithmetic(text, "comma") == "17.801 units (above 10.000, up to 50.000) x 0,0015 = 26,7015"
    assert filters.arithmetic(text, "point") == "17,801 units (above 10,000, up to 50,000) x 0.0015 = 26.7015"
