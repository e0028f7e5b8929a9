"""Concurrent requests that create something under one id or reference: one creates it, the others are refused."""

import threading
import time

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from billing import contracts, parties
from billing.models import Customer, Line, Name, Subscription
from tests import factories as make
from tests.concurrency.threads import at_once
from tests.usage.dialects.native.client import Native

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

GIVEN = "7d4c8a1c-5d0a-4d55-8ad4-0a3a5f7b9e21"


@pytest.fixture
def workspace():
    return make.workspace()


def statuses(workspace, path, body):
    """Return the sorted statuses of six clients that send the same request at once."""
    clients = [Native(workspace) for _ in range(6)]
    return sorted(at_once([lambda api=api: api.post(path, **body).status_code for api in clients]))


@pytest.mark.parametrize("named", [{"id": GIVEN}, {"reference": "cus_1"}, {"aliases": ["globex"]}])
def test_one_of_six_customers_is_made(workspace, named):
    assert statuses(workspace, "customers/", {"name": "Globex", **named}) == [201] + [409] * 5
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("named", [{"id": GIVEN}, {"reference": "br_1"}])
def test_one_of_six_bricks_is_made(workspace, named):
    assert statuses(workspace, "bricks/", {"name": "Calls", "aggregation": "sum", **named}) == [201] + [409] * 5


@pytest.mark.parametrize("named", [{"id": GIVEN}, {"reference": "sub_1"}])
def test_one_of_six_subscriptions_is_made_and_it_has_its_line(workspace, named):
    brick = make.brick(workspace, reference="br_1")
    make.customer(workspace, reference="cus_1")
    line = {"brick": "br_1", "price": make.price(brick).pk}
    body = {"customer": "cus_1", "starts_on": "2026-07-01", "lines": [line], **named}

    assert statuses(workspace, "subscriptions/", body) == [201] + [409] * 5
    assert (Subscription.objects.count(), Line.objects.count()) == (1, 1)


def test_name_that_eight_customers_are_given_at_once_in_four_ways_becomes_one_of_theirs(workspace):
    customers = [make.customer(workspace, f"Customer {n}") for n in range(4)]
    clients = [Native(workspace) for _ in range(8)]

    def give(n, api):
        if n < 2:
            return api.post(f"customers/{customers[n].pk}/aliases/", value="tenant-9")
        if n < 4:
            return api.patch(f"customers/{customers[n].pk}/", reference="tenant-9")
        named = {"reference": "tenant-9"} if n < 6 else {"aliases": ["a", "tenant-9"][n - 7 :]}
        return api.post("customers/", name=f"New {n}", **named)

    told = at_once([lambda n=n, api=api: give(n, api).status_code for n, api in enumerate(clients)])

    assert sorted(told)[1:] == [409] * 7
    assert sorted(told)[0] in (200, 201)
    owner = Name.objects.get(text="tenant-9").owner
    called = Customer.objects.filter(Q(reference="tenant-9") | Q(aliases__value="tenant-9"))
    assert [str(pk) for pk in called.values_list("pk", flat=True)] == [owner]


def test_name_that_is_taken_back_at_the_same_time_is_given_or_refused(workspace):
    for n in range(10):
        former, following = make.customer(workspace, aliases=[f"name {n}"]), make.customer(workspace)
        alias = former.aliases.get()

        def give(customer=following, name=f"name {n}"):
            try:
                return parties.add_alias(customer=customer, value=name, actor=make.ACTOR).customer
            except ValidationError:
                return None

        given = at_once([give, lambda alias=alias: parties.remove_alias(alias=alias, actor=make.ACTOR)])[0]

        owners = list(Name.objects.filter(text=f"name {n}").values_list("owner", flat=True))
        assert owners == ([] if given is None else [str(following.pk)])


def test_of_six_aliases_that_a_customer_is_given_at_once_only_those_are_taken_that_it_may_have(workspace, settings):
    settings.ALIASES_PER_CUSTOMER = 3
    customer = make.customer(workspace, aliases=["a"])
    clients = [Native(workspace) for _ in range(6)]

    def give(n, api):
        return api.post(f"customers/{customer.pk}/aliases/", value=f"name {n}").status_code

    assert (
        sorted(at_once([lambda n=n, api=api: give(n, api) for n, api in enumerate(clients)])) == [201] * 2 + [422] * 4
    )
    assert customer.aliases.count() == 3


def test_line_is_not_called_by_a_number_that_another_is_given_at_once(workspace):
    by_number, by_reference = adding_lines(workspace, 2)

    def tried(call):
        try:
            call()
        except ValidationError:
            return False
        return True

    done = at_once([lambda: tried(lambda: by_number(7)), lambda: tried(lambda: by_reference(reference="7"))])

    assert sorted(done) == [False, True]


def adding_lines(workspace, count):
    """Return functions that each add a line to their own subscription and return its number."""
    price = make.price(make.brick(workspace))

    def adding(subscription):
        def add(number=None, **fields):
            given = {"subscription": subscription, "brick": price.brick, "price": price, "number": number}
            return contracts.add_line(**given, **fields, actor=make.ACTOR).number

        return add

    return [adding(make.subscription(make.customer(workspace))) for _ in range(count)]


def test_lines_that_are_added_at_once_get_the_next_numbers_and_none_fails(workspace):
    elsewhere = make.workspace("other")

    numbers = at_once([*adding_lines(workspace, 6), *adding_lines(elsewhere, 3)])

    assert (sorted(numbers[:6]), sorted(numbers[6:])) == ([1, 2, 3, 4, 5, 6], [1, 2, 3])


def test_next_number_is_drawn_once_it_is_known_whether_another_has_been_given_it(workspace):
    giving, drawing = adding_lines(workspace, 2)
    is_given = threading.Event()

    def give():
        with transaction.atomic():
            number = giving(1)
            is_given.set()
            time.sleep(0.5)
        return number

    def draw():
        assert is_given.wait(timeout=30)
        return drawing()

    assert at_once([give, draw]) == [1, 2]


def test_one_of_six_subscriptions_gets_the_line_whose_id_all_give(workspace):
    brick = make.brick(workspace, reference="br_1")
    make.customer(workspace, reference="cus_1")
    line = {"id": 4711, "brick": "br_1", "price": make.price(brick).pk}
    body = {"customer": "cus_1", "starts_on": "2026-07-01", "lines": [line]}

    assert statuses(workspace, "subscriptions/", body) == [201] + [409] * 5
    assert Line.objects.get().subscription == Subscription.objects.get()
