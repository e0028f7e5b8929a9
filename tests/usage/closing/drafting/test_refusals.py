"""Reasons for parking a subscription: readable, and naming the price at fault."""

import pytest

from billing.rating import TermsError
from tests import factories as make
from usage.closing.drafting.refusals import REFUSALS, IncompletePrice, terms_of

pytestmark = pytest.mark.django_db


def test_a_complete_price_is_read_as_terms():
    price = make.line(model="volume", tiers=[("10", "5", "0"), (None, "3", "0")]).price

    assert terms_of(price) == price.terms()


def test_an_incomplete_price_is_named():
    price = make.line(model="volume", tiers=[("10", "5", "0"), (None, "3", "0")]).price
    price.tiers.filter(up_to=None).delete()

    with pytest.raises(IncompletePrice) as refusal:
        terms_of(price)

    error = refusal.value
    assert str(error).startswith(f"The price “{price}” is incomplete: ")
    assert isinstance(error.__cause__, TermsError)
    assert (error.field, error.problem) == (error.__cause__.field, error.__cause__.problem)
    assert isinstance(error, REFUSALS)
