"""Errors of our own API: problem details with the path of each invalid member."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from rest_framework import exceptions

from billing.rating import TermsError
from usage.dialects.native.errors import INVALID, TAKEN, body, disagreed, invalid, is_taken, refused, unpriced
from usage.dialects.shared.errors import Problem
from usage.ledger import DuplicateKey, LineNotFound, QuantityRefused, RecordNotFound

pytestmark = pytest.mark.once


def test_a_body_has_an_error_for_each_message():
    problem = Problem(422, INVALID, {"lines.0.price": ["Too low.", "Too plain."], "name": ["Too long."]})

    assert body(problem) == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The input is invalid.",
        "errors": [
            {"field": "lines.0.price", "message": "Too low."},
            {"field": "lines.0.price", "message": "Too plain."},
            {"field": "name", "message": "Too long."},
        ],
    }
    assert "errors" not in body(Problem(404, "There is no such line."))


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (QuantityRefused("Too many digits."), Problem(422, INVALID, {"quantity": ["Too many digits."]})),
        (LineNotFound("There is no such line."), Problem(422, INVALID, {"line": ["There is no such line."]})),
        (
            DuplicateKey(record_id=7),
            Problem(409, INVALID, {"key": ["Usage with this id was already recorded."]}),
        ),
        # The path named the record.
        (RecordNotFound(), Problem(404, "There is no such usage.")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_refusal_of_the_ledger_names_its_field(error, problem):
    assert refused(error) == problem


@pytest.mark.parametrize(
    ("detail", "message", "fields"),
    [
        ({"name": ["Too long."]}, INVALID, {"name": ["Too long."]}),
        (
            {"lines": [{}, {"price": {"tiers": [{"up_to": ["Missing."]}]}}]},
            INVALID,
            {"lines.1.price.tiers.0.up_to": ["Missing."]},
        ),
        ({"lines": {"non_field_errors": ["Too many."]}}, INVALID, {"lines": ["Too many."]}),
        ({"non_field_errors": ["Name a line.", "Or a brick."]}, "Name a line. Or a brick.", {}),
        (["Expected an object."], "Expected an object.", {}),
    ],
)
def test_errors_of_a_serializer_are_told_by_their_paths(detail: Any, message, fields):
    assert invalid(exceptions.ValidationError(detail)) == Problem(422, message, fields)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ValidationError({"name": ["Too long."]}), Problem(422, INVALID, {"name": ["Too long."]})),
        (ValidationError("Nothing fits."), Problem(422, "Nothing fits.")),
        (
            ValidationError({"lines[2].price.tiers[0].up_to": ["Missing."]}),
            Problem(422, INVALID, {"lines.2.price.tiers.0.up_to": ["Missing."]}),
        ),
        # Clients know the field by another name, wherever it stands.
        (
            ValidationError({"ends_at": ["Too early."], "lines[0].ends_at": ["Too late."]}),
            Problem(422, INVALID, {"last_day": ["Too early."], "lines.0.last_day": ["Too late."]}),
        ),
        (
            ValidationError(
                {"reference": ValidationError("A brick with this reference already exists.", code="unique")}
            ),
            Problem(409, TAKEN, {"reference": ["A brick with this reference already exists."]}),
        ),
        # A constraint over several fields is about the one beside the workspace.
        (
            ValidationError("Taken.", code="unique_together", params={"unique_check": ("workspace", "number")}),
            Problem(409, TAKEN, {"number": ["Taken."]}),
        ),
    ],
    ids=["field", "general", "nested", "renamed", "taken", "taken together"],
)
def test_errors_of_the_domain_are_invalid_input_or_a_conflict(error, problem):
    assert disagreed(error, paths={"ends_at": "last_day"}) == problem


def test_terms_that_can_not_be_rated_are_told_by_their_path():
    assert unpriced(TermsError("tiers[1].up_to", "It is missing.")) == Problem(
        422, INVALID, {"tiers.1.up_to": ["It is missing."]}
    )


@pytest.mark.parametrize(("sqlstate", "taken"), [("23505", True), ("23503", False), (None, False)])
def test_a_row_that_another_request_was_faster_to_add_is_known_by_its_sqlstate(sqlstate, taken):
    error = IntegrityError()
    cause = Exception()
    error.__cause__ = cause
    vars(cause).update(vars(SimpleNamespace(sqlstate=sqlstate)) if sqlstate else {})

    assert is_taken(error) is taken
