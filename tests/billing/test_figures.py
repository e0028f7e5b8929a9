"""How figures are written for people, in each format of numbers."""

from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from billing import figures
from billing.entry.numbers import NumberFormat
from billing.models import Workspace


def written(tag: str, style: NumberFormat, **values: object) -> str:
    """What a tag writes on a page that shows a workspace with a format of numbers."""
    request = RequestFactory().get("/admin/")
    request.workspace = Workspace(number_format=style, time_zone="Europe/Berlin")  # type: ignore[attr-defined]
    return Template("{% load figures %}" + tag).render(Context({"request": request, **values}))


@pytest.mark.parametrize(
    ("style", "money"),
    [
        (NumberFormat.POINT, "KWD 1,234.125"),
        (NumberFormat.COMMA, "KWD 1.234,125"),
        (NumberFormat.SPACE, "KWD 1\xa0234,125"),
    ],
)
def test_money_has_its_currencys_decimals_and_the_workspaces_marks(style, money):
    assert figures.money(Decimal("1234.125"), "KWD", style) == money
    assert written('{% amount value "KWD" %}', style, value=Decimal("1234.125")) == money
    assert written('{% amount value "KWD" bare=True %}', style, value=Decimal("1234.125")) == money.removeprefix("KWD ")


def test_counts_are_grouped():
    assert figures.count(1234567, NumberFormat.COMMA) == "1.234.567"
    assert written("{% count 1234567 %}", NumberFormat.POINT) == "1,234,567"
    assert written("{% count 0 %} {% count 0 none='–' %}", NumberFormat.POINT) == "0 –"


def test_what_is_nothing_stays_a_dash():
    assert written('{% amount None "USD" %} {% number None %} {% day None %}', NumberFormat.COMMA) == "– – –"
    assert figures.quantity(None, NumberFormat.COMMA) == "–"


def test_an_amount_that_is_not_rounded_has_its_currencys_decimals_at_least():
    tag = "{% unit_price value currency %}"

    assert written(tag, NumberFormat.POINT, value=Decimal("0.5"), currency="KWD") == "KWD 0.500"
    assert written(tag, NumberFormat.COMMA, value=Decimal("0.00025"), currency="USD") == "USD 0,00025"


def test_the_arithmetic_of_a_step_is_written_number_by_number():
    text = "17801 units (above 10000, up to 50000) x 0.0015 = 26.7015"

    def arithmetic(style):
        return written("{% arithmetic text %}", style, text=text)

    assert arithmetic(NumberFormat.COMMA) == "17.801 units (above 10.000, up to 50.000) x 0,0015 = 26,7015"
    assert arithmetic(NumberFormat.POINT) == "17,801 units (above 10,000, up to 50,000) x 0.0015 = 26.7015"


@pytest.mark.parametrize(
    ("count", "told"), [(1, ""), (2, ", the oldest of 2 open periods"), (9, ", the oldest of more than 8 open periods")]
)
def test_open_periods_are_told_where_there_are_several(count, told):
    assert written("{% oldest_of count 8 %}", NumberFormat.POINT, count=count) == told
