"""Rows that are searched for: prices for a line to be added, and lines that usage is added to."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import catalog
from billing.models import Price
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of, errors_of, shown_status, turn_to
from tests.billing.admin.test_hostile_queries import HOSTILE

pytestmark = pytest.mark.django_db


def prices_url(subscription) -> str:
    return reverse("admin:billing_subscription_prices", args=[subscription.pk])


def found(client, subscription, **query: Any) -> list[str]:
    answer = client.get(prices_url(subscription), query)
    assert answer.status_code == 200
    return [row["text"] for row in answer.json()["results"]]


def a_price(brick, name: str, currency: str) -> Price:
    return catalog.create_price(
        brick=brick, name=name, model="per_unit", currency=currency, unit_price=Decimal(2), actor=make.ACTOR
    )


def a_subscription_with_prices():
    """A subscription in dollars in a workspace with four prices of three bricks."""
    owner = make.workspace()
    for name, price, currency in (
        ("Seats", "Gold", "USD"),
        ("Seats", "Gold, discounted", "USD"),
        ("Storage", "Bronze", "USD"),
        ("Traffic", "Gold", "EUR"),
    ):
        brick = owner.bricks.filter(name=name).first() or make.brick(owner, name, reference=f"sku-{name}")
        a_price(brick, price, currency)
    return make.subscription(make.customer(owner))


def test_prices_are_found_by_the_beginning_of_their_name_or_their_bricks_or_its_reference():
    subscription, client = a_subscription_with_prices(), administrator()
    seats = ["Seats — Gold (USD)", "Seats — Gold, discounted (USD)"]

    assert found(client, subscription) == [*seats, "Storage — Bronze (USD)"]
    assert found(client, subscription, term="gold") == seats
    assert found(client, subscription, term="s") == [*seats, "Storage — Bronze (USD)"]
    assert found(client, subscription, term="sku-storage") == ["Storage — Bronze (USD)"]
    assert found(client, subscription, term="old") == found(client, subscription, term="sku") == []


def test_prices_in_another_currency_or_of_another_workspace_are_neither_found_nor_taken():
    subscription, client = a_subscription_with_prices(), administrator()
    foreign = a_price(make.brick(make.workspace("other"), "Seats of others"), "Gold of others", "USD")
    in_euros = Price.objects.get(currency="EUR")
    url = reverse("admin:billing_subscription_add_line", args=[subscription.pk])
    page = page_of(client, url)

    told = " ".join(found(client, subscription) + found(client, subscription, term="gold"))
    refused = [errors_of(client.post(url, page | {"price": price.pk})) for price in (foreign, in_euros)]

    assert "others" not in told
    assert "EUR" not in told
    assert [list(errors) for errors in refused] == [["price"], ["price"]]
    assert not subscription.lines.exists()


def test_prices_are_shown_to_whoever_may_add_a_line_there_and_to_no_other():
    subscription = a_subscription_with_prices()
    theirs = make.subscription(make.customer(make.workspace("other")))
    may = client_of("billing.add_line", "billing.view_subscription")
    turn_to(may, subscription.workspace)

    assert len(found(may, subscription)) == 3
    assert may.get(prices_url(theirs)).status_code == 404
    assert client_of("billing.view_subscription", "billing.view_price").get(prices_url(subscription)).status_code == 403


def test_a_page_of_prices_takes_as_many_queries_and_is_as_long_however_many_there_are():
    subscription, client = a_subscription_with_prices(), administrator()
    brick = subscription.workspace.bricks.get(name="Storage")
    add_line = reverse("admin:billing_subscription_add_line", args=[subscription.pk])
    lengths, counts = [], []
    for _ in range(2):
        client.get(add_line)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(prices_url(subscription), {"term": "s"}).json()
            lengths.append(len(client.get(add_line).content))
        counts.append(len(queries))
        Price.objects.bulk_create(
            Price(workspace=brick.workspace, brick=brick, name=f"S{n}", model="per_unit", currency="USD", unit_price=1)
            for n in range(100)
        )

    assert counts[0] == counts[1]
    # A token and a signature are of about one length.
    assert abs(lengths[0] - lengths[1]) < 50
    assert (len(answer["results"]), answer["pagination"]["more"]) == (20, True)


def test_price_that_was_chosen_is_shown_again_on_a_form_that_is_refused():
    subscription, client = a_subscription_with_prices(), administrator()
    chosen = Price.objects.get(name="Bronze")
    url = reverse("admin:billing_subscription_add_line", args=[subscription.pk])

    refused = client.post(url, page_of(client, url) | {"price": chosen.pk, "number": "0"})

    assert list(errors_of(refused)) == ["number"]
    assert f'<option value="{chosen.pk}" selected>Storage — Bronze (USD)</option>' in " ".join(
        refused.content.decode().split()
    )


@pytest.mark.parametrize("value", [*HOSTILE, "9" * 30, "0"])
def test_no_search_fails_whatever_its_address_says(value):
    line, client = make.line(), administrator()
    urls = [
        prices_url(line.subscription),
        reverse("admin:usage_lines", args=[line.subscription.customer_id]),
    ]

    for url in urls:
        for name in ("page", "term"):
            assert shown_status(client, url, {name: value}) == 200, (url, name)


@pytest.mark.parametrize("value", [*HOSTILE, "9" * 30])
def test_no_value_of_a_choice_makes_a_form_fail(value):
    line, client = make.line(), administrator()
    add_line = reverse("admin:billing_subscription_add_line", args=[line.subscription_id])
    add_usage = f"{reverse('admin:usage_usagerecord_add')}?customer={line.subscription.customer_id}"

    for url, name in ((add_line, "price"), (add_usage, "line")):
        refused = client.post(url, page_of(client, url) | {name: value})
        assert refused.status_code == 200
        assert name in errors_of(refused)
