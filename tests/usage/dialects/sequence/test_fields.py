"""Sequence's own fields: names to the letter, filters of plain values, lists in a query string, edges of a period."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from rest_framework import serializers

from tests.factories import moment
from usage.dialects.sequence.fields import (
    CommaSeparatedField,
    FiltersField,
    NameField,
    NamesField,
    ObjectField,
    PeriodEdgeField,
    RepeatedField,
)

pytestmark = pytest.mark.once


def read(field: serializers.Field, value: Any) -> Any:
    """Return what a field makes of a value, or the messages with which it refuses it."""
    try:
        return field.run_validation(value)
    except serializers.ValidationError as error:
        return [str(message) for message in error.detail]


@pytest.mark.parametrize(
    ("field", "value", "outcome"),
    [
        (NameField(), " gx ", " gx "),
        (NameField(), "x" * 255, "x" * 255),
        (NameField(), "x" * 256, ["Ensure this field has no more than 255 characters."]),
        (NameField(), "", ["This field may not be blank."]),
        (ObjectField(), {"a": [1]}, {"a": [1]}),
        (ObjectField(), [1], ["Expected an object."]),
        (ObjectField(), "a", ["Expected an object."]),
        (NamesField(), ["a", ""], ["a", ""]),
        (NamesField(), "a", ["Expected a list of texts."]),
        (NamesField(), ["a", 1], ["Expected a list of texts."]),
    ],
)
def test_a_value_is_read_or_refused(field, value, outcome):
    assert read(field, value) == outcome


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["text", ""], ["text", ""]),
        ([True, False], ["true", "false"]),
        ([7, 0, 10**20], ["7", "0", "1" + "0" * 20]),
        ([Decimal("1.50"), Decimal("-0.0"), Decimal("1e3")], ["1.5", "0", "1000"]),
        ([], []),
    ],
)
def test_values_of_a_filter_are_texts_as_events_are_compared(values, texts):
    assert read(FiltersField(), {"type": values}) == {"type": texts}


@pytest.mark.parametrize("values", ["text", None, [None], [["text"]], [{"a": 1}], [Decimal("1e99999")]])
def test_other_values_of_a_filter_are_refused(values):
    assert read(FiltersField(), {"type": values}) == ["Each property requires a list of texts, numbers or booleans."]


class Query(serializers.Serializer):
    name = RepeatedField(required=False)
    kinds = CommaSeparatedField(required=False, choices=("CREATE", "UPDATE, OR NOT"))


def queried(text: str) -> Any:
    query = Query(data=QueryDict(text))
    return query.validated_data if query.is_valid() else query.errors


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", {}),
        ("name=a&name=b,c", {"name": ["a", "b,c"]}),
        # A comma within a text is encoded once more.
        ("kinds=CREATE,UPDATE%252C%20OR%20NOT", {"kinds": ["CREATE", "UPDATE, OR NOT"]}),
        ("kinds=CREATE&kinds=CREATE", {"kinds": ["CREATE", "CREATE"]}),
        ("kinds=DELETE", {"kinds": ["“DELETE” is not a valid choice."]}),
        ("name=", {"name": ["An empty value is not accepted."]}),
        ("kinds=CREATE,", {"kinds": ["An empty value is not accepted."]}),
        ("name=%00", {"name": ["Give at most 3 texts of at most 255 characters."]}),
        ("name=1&name=2&name=3&name=4", {"name": ["Give at most 3 texts of at most 255 characters."]}),
    ],
)
def test_texts_of_a_query_are_read_or_refused(settings, text, outcome):
    settings.FILTER_VALUES = 3

    assert queried(text) == outcome


class Edges(serializers.Serializer):
    start = PeriodEdgeField(is_end=False)
    end = PeriodEdgeField(is_end=True)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        # A day begins at midnight of the workspace, and is included to its end; 29 March has 23 hours in Berlin.
        ("2026-03-29", "2026-03-29", "2026-03-30"),
        ("2026-01-10T12:00:00+01:00", "2026-01-10 12:00", "2026-01-10 12:00:00.000001"),
    ],
)
def test_an_edge_of_a_period_is_included(text, start, end):
    edges = Edges(data={"start": text, "end": text}, context={"zone": ZoneInfo("Europe/Berlin")})

    assert edges.is_valid(), edges.errors
    tz = "Europe/Berlin"
    assert edges.validated_data == {"start": moment(start, tz=tz), "end": moment(end, tz=tz)}


@pytest.mark.parametrize("text", ["2026-02-30", "9999-12-31", "yesterday", ""])
def test_an_edge_that_is_no_day_or_moment_is_refused(text):
    edges = Edges(data={"start": "2026-01-01", "end": text}, context={"zone": ZoneInfo("UTC")})

    assert not edges.is_valid()
    assert list(edges.errors) == ["end"]
