"""A page with rows, such as tiers or aliases, that is older than what others did to one of them."""

import pytest
from django.db.models import F

from billing import parties
from billing.models import Customer, Price, PriceTier
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator
from tests.billing.admin.test_seen import change_page, told_on

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def tiered_page(*tiers):
    """A client, and the address of the page of a graduated price with these tiers."""
    return administrator(), change_page(make.line(model="graduated", tiers=tiers).price)


def tiers_now():
    tiers = Price.objects.get().tiers.order_by(F("up_to").asc(nulls_last=True))
    return [(str(tier), f"{tier.unit_price.normalize():f}") for tier in tiers]


def test_name_is_saved_beside_a_tier_that_another_person_changed():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"tiers-0-unit_price": "5"})
    refused = client.post(url, b | {"name": "Gold"})

    told = told_on(refused)
    assert "“up to 10”: Unit price: it was “1” and is “5” now." in told
    assert "removed" not in told
    assert "added" not in told
    assert client.post(url, shown_on(refused)).status_code == 302
    assert Price.objects.get().name == "Gold"
    assert tiers_now() == [("up to 10", "5"), ("the rest", "2")]


def test_one_tier_is_saved_beside_another_that_was_changed_meanwhile():
    client, url = tiered_page(("10", "2", "0"), (None, "1", "0"))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"tiers-0-unit_price": "5"})
    refused = client.post(url, b | {"tiers-1-unit_price": "0.5"})

    assert "“up to 10”: Unit price: it was “2” and is “5” now." in told_on(refused)
    assert tiers_now() == [("up to 10", "5"), ("the rest", "1")]
    assert shown_on(refused)["tiers-1-unit_price"] == "0.5"
    assert client.post(url, shown_on(refused)).status_code == 302
    assert tiers_now() == [("up to 10", "5"), ("the rest", "0.5")]


def test_both_changed_the_same_tier_and_the_second_decides():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"tiers-0-unit_price": "5"})
    refused = client.post(url, b | {"tiers-0-unit_price": "7"})

    assert "“up to 10”: Unit price: it was “1” and is “5” now." in told_on(refused)
    assert tiers_now() == [("up to 10", "5"), ("the rest", "2")]
    client.post(url, shown_on(refused))
    assert tiers_now() == [("up to 10", "7"), ("the rest", "2")]


def test_tier_is_the_one_of_its_bound_also_where_it_was_made_anew():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)

    # To a browser, a row that is taken away and one that is added are two.
    client.post(url, a | {"tiers-0-DELETE": "on"})
    again = page_of(client, url)
    added = {"tiers-1-up_to": "10", "tiers-1-unit_price": "5", "tiers-1-fee": "0", "tiers-TOTAL_FORMS": "2"}
    assert client.post(url, again | added).status_code == 302
    refused = client.post(url, b | {"name": "Gold"})

    assert "“up to 10”: Unit price: it was “1” and is “5” now." in told_on(refused)
    assert "removed" not in told_on(refused)
    client.post(url, shown_on(refused))
    assert tiers_now() == [("up to 10", "5"), ("the rest", "2")]


def test_bound_that_was_moved_meanwhile_is_told_as_another_tier():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"tiers-0-up_to": "20"})
    refused = client.post(url, b | {"tiers-1-unit_price": "3"})

    told = told_on(refused)
    assert "“up to 10” was removed. “up to 20” was added." in told
    assert "the rest" not in told
    client.post(url, shown_on(refused))
    assert tiers_now() == [("up to 20", "1"), ("the rest", "3")]


def test_tier_that_was_changed_meanwhile_is_not_taken_away_unseen():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"tiers-0-unit_price": "5"})
    refused = client.post(url, b | {"tiers-0-DELETE": "on"})

    assert "“up to 10”: Unit price: it was “1” and is “5” now." in told_on(refused)
    assert tiers_now() == [("up to 10", "5"), ("the rest", "2")]
    client.post(url, shown_on(refused))
    assert tiers_now() == [("the rest", "2")]


def test_tiers_that_nobody_touched_are_as_they_were():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    keys = set(PriceTier.objects.values_list("pk", flat=True))
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"name": "Gold"})
    refused = client.post(url, b | {"tiers-0-unit_price": "7"})

    assert set(PriceTier.objects.values_list("pk", flat=True)) == keys
    told = told_on(refused)
    assert "Name: it was “API calls graduated” and is “Gold” now." in told
    assert "up to" not in told


def row_of(form, alias):
    (name,) = (name for name, value in form.items() if name.startswith("aliases-") and value == alias)
    return name.removesuffix("-value")


def test_aliases_that_were_added_removed_or_changed_meanwhile_are_told():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner, aliases=["one", "two", "three"])
    url = change_page(customer)
    b = page_of(client, url)
    one, two, _ = customer.aliases.order_by("pk")
    parties.remove_alias(alias=one, actor=make.ACTOR)
    parties.update_alias(alias=two, label="changed", actor=make.ACTOR)
    parties.add_alias(customer=customer, value="four", actor=make.ACTOR)

    refused = client.post(url, b | {"name": "Renamed", f"{row_of(b, 'three')}-label": "mine"})

    told = told_on(refused)
    assert "“one” was removed." in told
    assert "“four” was added." in told
    assert Customer.objects.get().name == "Globex"
    client.post(url, shown_on(refused))
    assert Customer.objects.get().name == "Renamed"
    assert sorted(customer.aliases.values_list("value", "label")) == [
        ("four", ""),
        ("three", "mine"),
        ("two", "changed"),
    ]


def test_alias_that_was_changed_meanwhile_is_not_taken_away_unseen():
    customer, client = make.customer(make.workspace(), aliases=["one", "two"]), administrator()
    url = change_page(customer)
    b = page_of(client, url)
    parties.update_alias(alias=customer.aliases.get(value="one"), label="in use", actor=make.ACTOR)

    refused = client.post(url, b | {f"{row_of(b, 'one')}-DELETE": "on"})

    assert "“one”: Label: it was empty and is “in use” now." in told_on(refused)
    assert customer.aliases.count() == 2
    client.post(url, shown_on(refused))
    assert customer.aliases.get().value == "two"


def test_a_page_with_no_number_of_its_tiers_is_shown_anew():
    client, url = tiered_page(("10", "1", "0"), (None, "2", "0"))
    a, b = page_of(client, url), page_of(client, url)
    client.post(url, a | {"tiers-0-up_to": "20"})

    refused = client.post(url, b | {"tiers-TOTAL_FORMS": "9" * 5000})

    assert refused.status_code == 200
    assert tiers_now() == [("up to 20", "1"), ("the rest", "2")]
