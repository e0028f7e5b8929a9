"""The values of our own API: exact, never converted from another type, and refused in words."""

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rest_framework import serializers

from usage.dialects.native.fields import (
    GREATEST_WHOLE,
    CurrencyField,
    DayField,
    FlagField,
    IdField,
    NumberField,
    NumberText,
    ReferenceField,
    TextField,
    WholeField,
    WordField,
    as_utc,
    parse_id,
)

pytestmark = pytest.mark.once


def read(field: serializers.Field, value: Any) -> Any:
    """Return what a field makes of a value, or the message with which it refuses it."""
    try:
        return field.run_validation(value)
    except serializers.ValidationError as error:
        (message,) = error.detail
        return f"refused: {message}"


ID = "0a6f5d5e-2f4e-4d6b-9a51-0c3c1c0a1b2c"
BLANK = "refused: This field may not be blank."
NO_NUMBER = "refused: A valid number is required."


@pytest.mark.parametrize(
    ("field", "value", "outcome"),
    [
        (TextField(), " a ", " a "),
        (TextField(), " ", BLANK),
        (TextField(), "", BLANK),
        (TextField(allow_blank=True), "", ""),
        (TextField(), 7, "refused: Not a valid string."),
        (TextField(), True, "refused: Not a valid string."),
        (CurrencyField(), "USD", "USD"),
        (CurrencyField(), "usd", "refused: A currency is three capital letters, such as USD."),
        (CurrencyField(), "USD\n", "refused: A currency is three capital letters, such as USD."),
        (ReferenceField(), None, None),
        (ReferenceField(), "x" * 101, "refused: Ensure this field has no more than 100 characters."),
        (IdField(), ID, uuid.UUID(ID)),
        (IdField(), ID.replace("-", ""), "refused: Must be a valid UUID."),
        (IdField(), 7, "refused: Must be a valid UUID."),
        (FlagField(), True, True),
        (FlagField(), "true", "refused: Must be true or false."),
        (FlagField(), 1, "refused: Must be true or false."),
        (DayField(), "2026-02-28", date(2026, 2, 28)),
        (DayField(), "2026-02-30", "refused: Date has wrong format. Use this format instead: YYYY-MM-DD."),
        (DayField(), "20260228", "refused: Date has wrong format. Use this format instead: YYYY-MM-DD."),
        (DayField(), 20260228, "refused: Date has wrong format. Use this format instead: YYYY-MM-DD."),
        (DayField(), "0001-12-31", "refused: Date is out of range."),
        (DayField(), "9999-01-01", "refused: Date is out of range."),
        (WholeField(), 1, 1),
        (WholeField(), Decimal("7.0"), 7),
        (WholeField(), GREATEST_WHOLE, GREATEST_WHOLE),
        (WholeField(), GREATEST_WHOLE + 1, f"refused: Must be from 1 to {GREATEST_WHOLE}."),
        (WholeField(), 0, f"refused: Must be from 1 to {GREATEST_WHOLE}."),
        (WholeField(), Decimal("1e999999999"), f"refused: Must be from 1 to {GREATEST_WHOLE}."),
        (WholeField(), Decimal("1.5"), "refused: A valid integer is required."),
        (WholeField(), "1", "refused: A valid integer is required."),
        (WholeField(), True, "refused: A valid integer is required."),
        (WordField(["live", "test"]), "live", "live"),
        (WordField(lambda: ["live", "test"]), "test", "test"),
        (WordField(["live", "test"]), "LIVE", 'refused: "LIVE" is not a valid choice.'),
        (WordField(["1"]), 1, 'refused: "1" is not a valid choice.'),
    ],
)
def test_a_value_is_read_or_refused(field, value, outcome):
    assert read(field, value) == outcome


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("7", Decimal(7)),
        (7, Decimal(7)),
        (Decimal("7.25"), Decimal("7.25")),
        ("999.99", Decimal("999.99")),
        ("007.10", Decimal("7.1")),
        ("1000", "refused: Ensure that there are no more than 3 digits before the decimal point."),
        (Decimal("1e999999999"), "refused: Ensure that there are no more than 3 digits before the decimal point."),
        ("0.001", "refused: Ensure that there are no more than 2 decimal places."),
        ("0", "refused: Ensure this value is greater than 0."),
        ("-1", "refused: Ensure this value is greater than 0."),
        ("1e2", NO_NUMBER),
        ("1.", NO_NUMBER),
        (".5", NO_NUMBER),
        ("+1", NO_NUMBER),
        (" 1", NO_NUMBER),
        ("", NO_NUMBER),
        (True, NO_NUMBER),
        ([1], NO_NUMBER),
    ],
)
def test_a_number_is_exact_and_within_its_digits(value, outcome):
    assert read(NumberField(before=3, after=2, above=0), value) == outcome


def test_a_number_may_be_the_least():
    field = NumberField(before=3, after=2, least=0)

    assert read(field, "0") == 0
    assert read(field, "-0.01") == "refused: Ensure this value is greater than or equal to 0."


@pytest.mark.parametrize(("value", "text"), [("1.500000000", "1.5"), ("1E+3", "1000"), ("-0.0", "0"), ("100", "100")])
def test_a_number_is_told_with_all_its_digits_and_no_more(value, text):
    assert NumberText().to_representation(Decimal(value)) == text


def test_a_moment_is_told_in_utc():
    at = datetime(2026, 7, 1, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))

    assert as_utc(at) == "2026-07-01T00:30:00Z"


@pytest.mark.parametrize(("text", "known"), [(ID, uuid.UUID(ID)), ("7", None), (7, None), (None, None)])
def test_a_text_is_an_id_or_none(text, known):
    assert parse_id(text) == known
