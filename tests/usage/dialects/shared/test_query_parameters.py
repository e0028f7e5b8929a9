"""Unknown query parameters are refused: ignoring one would return other rows than asked for."""

from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from rest_framework import exceptions, serializers

from usage.dialects.shared.query_parameters import (
    NumberFormField,
    WholeField,
    WholeFormField,
    is_number,
    refuse_unknown,
)

pytestmark = pytest.mark.once


def refused(query: str, *known: str, **options: Any) -> dict[str, list[str]]:
    """Return the messages by parameter, none where the query is taken."""
    try:
        refuse_unknown(QueryDict(query), known, **options)
    except exceptions.ValidationError as error:
        return {name: [str(message) for message in messages] for name, messages in error.detail.items()}  # type: ignore[union-attr]
    return {}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("", {}),
        ("line=3&page=2", {}),
        ("line[]=3", {"line[]": ["Unknown parameter."]}),
        ("Line=3&pages=1", {"Line": ["Unknown parameter."], "pages": ["Unknown parameter."]}),
        ("line=3&line=4", {"line": ["Give this parameter once."]}),
        ("sort=a&sort=b", {}),
        ("line=", {}),
        # What is unknown is told to be so alone, however often it is given.
        ("x=1&x=2", {"x": ["Unknown parameter."]}),
    ],
)
def test_what_is_unknown_or_given_twice_is_named(query, wrong):
    assert refused(query, "line", "page", "sort", repeated={"sort"}) == wrong


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("line=", {"line": ["This parameter may not be empty."]}),
        ("note=", {}),
        ("sort=a&sort=", {"sort": ["This parameter may not be empty."]}),
        ("line=&line=3", {"line": ["Give this parameter once."]}),
    ],
)
def test_what_is_empty_is_named_where_it_may_not_be(query, wrong):
    assert refused(query, "line", "sort", "note", repeated={"sort"}, optional={"note"}) == wrong


@pytest.mark.parametrize(
    ("text", "plain"),
    [("7", True), (" 7 ", True), ("-7.5", True), ("7_000", False), ("٧", False), ("NaN", False), ("", False)],
)
def test_a_number_has_plain_digits(text, plain):
    assert is_number(text) is plain


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (WholeFormField(required=False), "7", 7),
        (WholeFormField(required=False), "", None),
        (WholeFormField(), "٧", "refused"),
        (WholeFormField(), "7.5", "refused"),
        (NumberFormField(), "7.50", Decimal("7.50")),
        (NumberFormField(), "NaN", "refused"),
        (NumberFormField(), "7_0", "refused"),
    ],
)
def test_a_form_reads_plain_digits_alone(field, text, value):
    try:
        found = field.clean(text)
    except forms.ValidationError:
        found = "refused"

    assert found == value


@pytest.mark.parametrize(("sent", "value"), [("7", 7), (7, 7), ("٧", "refused"), ("7_0", "refused"), ("x", "refused")])
def test_a_serializer_reads_plain_digits_alone(sent, value):
    try:
        found = WholeField().run_validation(sent)
    except serializers.ValidationError:
        found = "refused"

    assert found == value
