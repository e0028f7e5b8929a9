"""Refusals inside of a larger request name the whole path of their field."""

import pytest
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from billing.contracts.refusals import UnableToAgree, within
from billing.rating import TermsError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TermsError("tiers[1].up_to", "It is missing."), {"price.tiers[1].up_to": ["It is missing."]}),
        (ValidationError({"name": ["Too long.", "Too plain."]}), {"price.name": ["Too long.", "Too plain."]}),
        (ValidationError("Nothing fits."), {f"price.{NON_FIELD_ERRORS}": ["Nothing fits."]}),
    ],
)
def test_a_refusal_is_prefixed_with_its_path(error, told):
    with pytest.raises(ValidationError) as refusal, within("price"):
        raise error

    assert refusal.value.message_dict == told
    assert refusal.value.__cause__ is error


def test_terms_that_can_not_be_rated_are_a_refusal_to_agree():
    with pytest.raises(UnableToAgree), within("price"):
        raise TermsError("model", "It is unknown.")


def test_paths_are_nested():
    with pytest.raises(ValidationError) as refusal, within("lines[2]"), within("price"):
        raise ValidationError({"name": "Too long."})

    assert refusal.value.message_dict == {"lines[2].price.name": ["Too long."]}


def test_another_error_passes_as_it_is():
    with pytest.raises(ZeroDivisionError), within("price"):
        raise ZeroDivisionError
