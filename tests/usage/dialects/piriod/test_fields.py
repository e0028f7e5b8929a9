"""Piriod's ids of lines: whole numbers, also in a text, that a line may have."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework import serializers

from usage.dialects.piriod.fields import GREATEST_ID, LineField

pytestmark = pytest.mark.once


def read(value: Any) -> Any:
    try:
        return LineField().run_validation(value)
    except serializers.ValidationError as error:
        (message,) = error.detail
        return str(message)


def missing(value: Any) -> str:
    return f'Invalid pk "{value}" - object does not exist.'


def wrong(kind: str) -> str:
    return f"Incorrect type. Expected pk value, received {kind}."


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (7, 7),
        ("7", 7),
        (Decimal("7.0"), 7),
        (GREATEST_ID, GREATEST_ID),
        (GREATEST_ID + 1, missing(GREATEST_ID + 1)),
        (0, missing(0)),
        (-7, missing(-7)),
        (Decimal("7.5"), missing("7.5")),
        (Decimal("1e999999999"), missing("1E+999999999")),
        ("", wrong("str")),
        ("-7", wrong("str")),
        ("٧", wrong("str")),
        ("7" * 40, wrong("str")),
        (True, wrong("bool")),
        ([7], wrong("list")),
        ({"id": 7}, wrong("dict")),
    ],
)
def test_an_id_is_read_or_refused(value, outcome):
    assert read(value) == outcome
