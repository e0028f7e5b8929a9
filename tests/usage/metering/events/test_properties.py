"""An event's properties in SQL, as text and as a number: the same on both databases."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests import factories as make
from tests.usage.metering.windows import sent
from usage.metering.events.properties import LONGEST_NUMBER, as_number, as_text, folded_text_of, given_of, text_of

pytestmark = pytest.mark.django_db


def selected(sql: str, parameters: list[Any]) -> str | None:
    """Return what a piece of SQL makes of the only record."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql} FROM usage_usagerecord r", parameters)
        ((value,),) = cursor.fetchall()
        return None if value is None else str(value)


TEXTS: list[tuple[Any, str | None]] = [
    ("text", "text"),
    ("", ""),
    (" a\nb ", " a\nb "),
    ("null", "null"),
    (True, "true"),
    (False, "false"),
    (7, "7"),
    (0, "0"),
    (Decimal("-0.0"), "0"),
    (Decimal("1.50"), "1.5"),
    (Decimal("1e3"), "1000"),
    (Decimal("-0.000000000000000000001"), "-0.000000000000000000001"),
    (10**20, "1" + "0" * 20),
    (None, None),
    ([1], None),
    ({"a": 1}, None),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_a_property_is_a_text_or_missing(globex, value, text):
    sent(globex, n=value)

    assert selected(*text_of("n", "r")) == text
    given, parameters = given_of("n", "r")
    assert selected(as_text(given), parameters * as_text(given).count("%s")) == text


def test_a_property_that_is_not_there_is_missing(globex):
    sent(globex, m=1)

    assert (selected(*text_of("n", "r")), selected(*given_of("n", "r"))) == (None, None)


@pytest.mark.parametrize("name", ["o'clock", "a.b", "%s", "$[0]", 'say "it"', "é"])
def test_a_property_has_any_name(globex, name):
    sent(globex, **{name: "here"})

    assert selected(*text_of(name, "r")) == "here"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", "7"),
        ("-7.25", "-7.25"),
        ("007", "7"),
        ("999999999999999.5", "999999999999999.5"),
        # Longer than a quantity of the ledger may be before its point.
        ("1000000000000000", None),
        ("1e3", None),
        ("+1", None),
        ("1.", None),
        (".5", None),
        (" 1", None),
        ("1\n", None),
        ("١", None),
        ("", None),
        (None, None),
        ("0." + "1" * (LONGEST_NUMBER - 2), "0." + "1" * (LONGEST_NUMBER - 2)),
        ("0." + "1" * (LONGEST_NUMBER - 1), None),
    ],
)
def test_a_text_is_a_number_or_none(text, number):

    given = "%s::text" if connection.vendor == "postgresql" else "%s"
    sql = as_number(given)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", [text] * sql.count("%s"))
        (found,) = cursor.fetchone()

    assert (None if found is None else Decimal(found)) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(("value", "folded"), [("ΟΔΟΣ", "οδοσ"), ("text", "text"), ("Text", "text"), (True, "true")])
def test_a_folded_text_is_its_copy_or_the_text_where_folding_changes_nothing(globex, value, folded):
    sent(globex, n=value)

    assert selected(*folded_text_of("n", "r")) == folded


def test_a_record_without_properties_has_none():
    make.use(make.line(), "1", "2026-01-10")

    assert selected(*text_of("n", "r")) is None
