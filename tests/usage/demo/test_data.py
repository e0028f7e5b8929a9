"""The demo's data: secrets and ids that are the same each time, and products that can be sold."""

import pytest

from billing.models import Workspace
from billing.rating import FLAT
from tests import factories as make
from usage.demo import data
from usage.demo.data import CUSTOMERS, EVENTS_CUSTOMER, MEDIA, NOT_FINANCE, PRODUCTS, ROLES, find, id_of, key_of, secret
from usage.metering import EVENTS, NOT_METERED


def test_a_secret_is_the_same_each_time_and_another_for_each_name_and_installation(settings):
    told = secret("a")

    assert (len(told), secret("a"), secret("b") == told) == (32, told, False)
    settings.SECRET_KEY = "another"
    assert secret("a") != told


def test_keys_and_ids_tell_the_twins_apart():
    live, test = (Workspace(code="acc_demo", mode=mode) for mode in Workspace.Mode)

    assert [key_of(of)[:9] for of in (live, test)] == ["ark_live_", "ark_test_"]
    assert key_of(live)[9:] != key_of(test)[9:]
    assert id_of(live, "subscription 1") == id_of(live, "subscription 1") != id_of(test, "subscription 1")
    assert id_of(live, "subscription 1") != id_of(live, "subscription 2")


def test_each_login_has_a_password_of_its_own():
    assert len({data.password_of(name) for name in ROLES}) == len(ROLES)
    assert {"apikey", "workspace"} == NOT_FINANCE


def test_products_can_be_sold_and_each_is_bought():
    bought = {product.name for _, _, products in CUSTOMERS.values() for product in products}

    assert bought == {product.name for product in PRODUCTS}
    for product in PRODUCTS:
        # The last tier is open, and only what counts events has a rule.
        assert not product.tiers or product.tiers[-1][0] is None
        assert (product.rule is not None) is (product.aggregation == EVENTS.name)
        assert (product.aggregation == NOT_METERED.name) is (product.model == FLAT.name)
    assert MEDIA in CUSTOMERS[EVENTS_CUSTOMER][2]


@pytest.mark.django_db
def test_the_demo_is_found_by_its_code_where_it_was_loaded():
    make.workspace("acme")
    assert find() is None

    demo = make.workspace(data.CODE)
    assert find() == demo
