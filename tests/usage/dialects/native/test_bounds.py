"""The contents of a row are bounded, and bound the page: a customer's aliases, a subscription's lines."""

from typing import Any

import pytest
from django.conf import settings as given
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import contracts, parties
from billing.models import Customer, CustomerAlias, Line
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of
from tests.usage.dialects.native.client import Native, wrong
from tests.usage.dialects.sequence.client import Sequence
from tests.usage.dialects.sequence.client import wrong as sequence_wrong

pytestmark = pytest.mark.django_db

TOO_MANY = "A customer has at most 3 aliases."


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def api(workspace):
    return Native(workspace)


def pages_of(api: Native, address: str | None, member: str) -> list[list[Any]]:
    pages = []
    while address:
        answer = api.get(address.removeprefix("http://testserver/api/")).json()
        pages.append([row[member] for row in answer["results"]])
        address = answer["next"]
    return pages


@pytest.mark.bound("LIST_PAGE_BYTES")
def test_a_page_of_customers_ends_early_by_their_aliases(api, workspace, settings):
    settings.LIST_PAGE_BYTES = 1000
    for name in "abcdefg":
        # Two names of 197 bytes, each between quotes and before a comma: 400 bytes.
        make.customer(workspace, name, aliases=[f"{name}{n}" + "é" * 97 + "x" for n in range(2)])
    make.customer(workspace, "none")

    assert pages_of(api, "customers/?page_size=5", "name") == [["none", "g", "f", "e"], ["d", "c", "b"], ["a"]]
    (shown,) = api.get("customers/?name=a").json()["results"]
    assert [alias[:2] for alias in shown["aliases"]] == ["a0", "a1"]


@pytest.mark.bound("LIST_PAGE_BYTES")
def test_a_page_of_subscriptions_ends_early_by_their_lines(api, workspace, settings):
    settings.LIST_PAGE_BYTES = 1000
    customer, brick = make.customer(workspace), make.brick(workspace)
    price = make.price(brick)
    for name in "abcdefg":
        agreed = make.subscription(customer, reference=name)
        contracts.add_line(subscription=agreed, brick=brick, price=price, actor=make.ACTOR)
    make.subscription(customer, reference="none")

    pages = pages_of(api, "subscriptions/?page_size=5", "reference")

    assert pages == [["none", "g", "f", "e"], ["d", "c", "b"], ["a"]]
    assert [len(lines) for lines in pages_of(api, "subscriptions/?reference=a", "lines")[0]] == [1]


@pytest.mark.bound("LIST_PAGE_BYTES")
def test_a_page_of_prices_ends_early_by_their_tiers(api, workspace, settings):
    settings.LIST_PAGE_BYTES = 500
    brick = make.brick(workspace)
    # Two tiers of 100 bytes each: the third begins behind 400, and the fourth would behind 600.
    tiers = [("10", "2", "0"), (None, "1", "0")]
    ids = [make.price(brick, model="graduated", tiers=tiers).pk for _ in range(7)][::-1]

    assert pages_of(api, "prices/?page_size=5", "id") == [ids[:3], ids[3:6], ids[6:]]
    assert [len(tiers) for tiers in pages_of(api, f"prices/?brick={brick.pk}&page_size=1", "tiers")[0]] == [2]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "aliases/?page_size=1", None, 200),
        ("POST", "aliases/", {"value": "new"}, 201),
        ("GET", "aliases/{alias}/", None, 200),
        ("DELETE", "aliases/{alias}/", None, 204),
        ("GET", "matchings/", None, 200),
    ],
)
def test_an_alias_is_found_beside_any_number_of_others(api, workspace, method, path, body, status):
    customer = make.customer(workspace, aliases=[f"name {n}" for n in range(30)])
    path = path.format(alias=customer.aliases.first().pk)

    with CaptureQueriesContext(connection) as queries:
        response = api(method, f"customers/{customer.pk}/{path}", body)

    assert response.status_code == status
    assert [query["sql"] for query in queries if '"billing_customeralias"."customer_id" IN (' in query["sql"]] == []


@pytest.mark.bound("ALIASES_PER_CUSTOMER")
def test_a_customer_has_as_many_aliases_as_the_limit_and_not_more(api, workspace, settings):
    settings.ALIASES_PER_CUSTOMER = 3
    customer, other = make.customer(workspace, aliases=["a", "b"]), make.customer(workspace, "Initech")
    sequence, path = Sequence(workspace), f"customers/{customer.pk}/aliases/"

    assert api.post(path, value="c").status_code == 201
    assert wrong(api.post(path, value="d")) == (422, {"value": TOO_MANY})
    refused = sequence("POST", "customer-aliases", {"customerId": str(customer.pk), "value": "d"})
    assert (refused.status_code, refused.json()) == (400, sequence_wrong(value=TOO_MANY))
    # What is taken is told as ever.
    assert api.post(path, value="a").status_code == 409
    assert api.post(f"customers/{other.pk}/aliases/", value="d").status_code == 201
    assert api("DELETE", f"{path}{customer.aliases.get(value='a').pk}/").status_code == 204
    assert api.post(path, value="e").status_code == 201
    assert list(customer.aliases.order_by("value").values_list("value", flat=True)) == ["b", "c", "e"]
    assert wrong(api.post("customers/", name="New", aliases=["1", "2", "3", "4"])) == (422, {"aliases": TOO_MANY})
    assert not Customer.objects.filter(name="New").exists()
    assert api.post("customers/", name="New", aliases=["1", "2", "3"]).status_code == 201


@pytest.mark.bound("ALIASES_PER_CUSTOMER")
def test_an_alias_does_not_move_to_a_customer_who_has_as_many_as_the_limit(workspace, settings):
    settings.ALIASES_PER_CUSTOMER = 3
    full, other = make.customer(workspace, aliases=["a", "b", "c"]), make.customer(workspace, aliases=["d"])

    with pytest.raises(ValidationError, match=TOO_MANY):
        parties.update_alias(alias=other.aliases.get(), customer=full, actor=make.ACTOR)
    assert parties.update_alias(alias=full.aliases.get(value="a"), customer=other, actor=make.ACTOR).customer == other
    assert (
        parties.update_alias(alias=full.aliases.get(value="b"), customer=full, label="x", actor=make.ACTOR).label == "x"
    )


@pytest.mark.bound("ALIASES_PER_CUSTOMER")
def test_the_panel_says_on_the_form_that_a_customer_has_as_many_aliases_as_it_may(workspace, settings):
    settings.ALIASES_PER_CUSTOMER = 3
    customer, panel = make.customer(workspace, aliases=["a", "b"]), administrator()
    url = reverse("admin:billing_customer_change", args=[customer.pk])
    form = {"name": "Globex", "aliases-TOTAL_FORMS": "4", "aliases-INITIAL_FORMS": "2"}
    for n, alias in enumerate(customer.aliases.order_by("value")):
        form |= {f"aliases-{n}-id": str(alias.pk), f"aliases-{n}-value": alias.value}
    added = {"aliases-2-value": "c", "aliases-3-value": "d"}

    refused = panel.post(url, form | added)

    assert refused.status_code == 200
    assert TOO_MANY in refused.content.decode()
    assert customer.aliases.count() == 2
    assert panel.post(url, form | added | {"aliases-TOTAL_FORMS": "3"}).status_code == 302
    assert customer.aliases.count() == 3


@pytest.mark.bound("ALIASES_PER_REQUEST")
def test_a_customer_is_made_with_as_many_aliases_as_the_limit_and_not_with_more(api):
    names = [f"name {n}" for n in range(given.ALIASES_PER_REQUEST + 1)]

    status, fields = wrong(api.post("customers/", name="Globex", aliases=names))

    assert (status, [*fields]) == (422, ["aliases"])
    assert not CustomerAlias.objects.exists()
    assert api.post("customers/", name="Globex", aliases=names[1:]).status_code == 201


@pytest.mark.bound("LINES_PER_SUBSCRIPTION")
def test_a_subscription_has_as_many_lines_as_the_limit_and_not_more(api, workspace, settings):
    settings.LINES_PER_SUBSCRIPTION = 2
    agreed = make.subscription(make.customer(workspace))
    bricks = [make.brick(workspace, f"Brick {n}") for n in range(3)]
    bodies = [{"brick": str(brick.pk), "price": make.price(brick).pk, "distant_start": True} for brick in bricks]
    too_many = "A subscription has at most 2 lines, including ended ones. Start another subscription."

    for body in bodies[:2]:
        assert api.post(f"subscriptions/{agreed.pk}/lines/", **body).status_code == 201
    refused = api.post(f"subscriptions/{agreed.pk}/lines/", **bodies[2])

    assert wrong(refused) == (422, {"brick": too_many})
    form = {"price": bodies[2]["price"], "starts_on": "", "ends_on": "", "reference": "", "id": ""}
    shown = administrator().post(reverse("admin:billing_subscription_add_line", args=[agreed.pk]), form)
    assert errors_of(shown) == {"price": [too_many]}
    assert Line.objects.count() == 2


def test_a_line_is_added_and_read_beside_any_number_of_others(api, workspace):
    agreed = make.subscription(make.customer(workspace))
    bricks = [make.brick(workspace, f"Brick {n}") for n in range(12)]
    counts = []
    for number, brick in enumerate(bricks):
        body = {"brick": str(brick.pk), "price": make.price(brick).pk, "distant_start": True}
        with CaptureQueriesContext(connection) as queries:
            line = api.post(f"subscriptions/{agreed.pk}/lines/", **body).json()["id"]
        whole = [query["sql"] for query in queries if '"billing_line"."subscription_id" IN (' in query["sql"]]
        assert whole == []
        if number in (1, 11):
            counts.append(len(queries))
        assert api.get(f"subscriptions/{agreed.pk}/lines/{line}/").status_code == 200

    assert counts[0] == counts[1]
