"""The line that usage is added to is searched for among those of its customer."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import contracts
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of, errors_of
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def lines_url(customer) -> str:
    return reverse("admin:usage_lines", args=[customer.pk])


def adding_url(customer) -> str:
    return f"{reverse('admin:usage_usagerecord_add')}?customer={customer.pk}"


def found(client, customer, **query: Any) -> list[int]:
    answer = client.get(lines_url(customer), query)
    assert answer.status_code == 200
    return [int(row["id"]) for row in answer.json()["results"]]


def a_customer_with_lines():
    """A customer with a line of calls, one of seats and a fee; the first two in this order."""
    subscription = make.subscription(make.customer(make.workspace()), reference="sub_7")
    lines = []
    for name, aggregation, model in (
        ("Calls", "sum", "per_unit"),
        ("Seats", "unit_days", "per_unit"),
        ("Fee", "none", "flat"),
    ):
        price = make.price(make.brick(subscription.workspace, name, aggregation=aggregation), model=model)
        reference = f"item-{name}"
        lines.append(
            contracts.add_line(
                subscription=subscription, brick=price.brick, price=price, reference=reference, actor=make.ACTOR
            )
        )
    return subscription.customer, lines[0], lines[1]


def test_lines_are_found_by_their_brick_their_number_and_references():
    customer, calls, seats = a_customer_with_lines()
    client = administrator()

    assert found(client, customer) == [calls.pk, seats.pk]
    assert found(client, customer, term="sea") == [seats.pk]
    assert found(client, customer, term=str(seats.number)) == [seats.pk]
    assert found(client, customer, term="item-Calls") == [calls.pk]
    assert found(client, customer, term="sub_7") == [calls.pk, seats.pk]
    assert found(client, customer, term="eats") == found(client, customer, term="fee") == []


def test_a_line_tells_what_it_measures_and_when():
    customer, _, seats = a_customer_with_lines()

    (row,) = administrator().get(lines_url(customer), {"term": "seats"}).json()["results"]

    told = f"Seats (gauge, units) — from 1 Jan 2026, subscription sub_7 — line {seats.number}"
    assert row == {"id": str(seats.pk), "text": told}


def test_lines_of_others_are_neither_found_nor_taken():
    customer, calls, _ = a_customer_with_lines()
    neighbour = make.line(customer.workspace)
    foreign = make.line(make.workspace("other"))
    client = administrator()
    page = page_of(client, adding_url(customer))
    typed = {"occurred_at_0": "2026-01-05", "occurred_at_1": "10:00", "quantity": "1"}

    refused = [client.post(adding_url(customer), page | typed | {"line": line.pk}) for line in (neighbour, foreign)]

    assert found(client, customer, term=str(neighbour.number)) == []
    assert client.get(lines_url(foreign.subscription.customer)).status_code == 404
    assert [list(errors_of(answer)) for answer in refused] == [["line"], ["line"]]
    assert not UsageRecord.objects.exists()


def test_lines_are_shown_to_whoever_may_add_usage_alone():
    customer, _, _ = a_customer_with_lines()

    assert len(found(client_of("usage.add_usagerecord"), customer)) == 2
    assert client_of("usage.view_usagerecord").get(lines_url(customer)).status_code == 403


def test_the_only_line_is_chosen_and_of_several_none():
    customer, calls, seats = a_customer_with_lines()
    only = make.line(customer.workspace)
    client = administrator()

    assert page_of(client, adding_url(only.subscription.customer))["line"] == str(only.pk)
    assert page_of(client, adding_url(customer)).get("line", "") == ""


def test_a_page_of_lines_takes_as_many_queries_however_many_there_are():
    customer, calls, _ = a_customer_with_lines()
    client, counts = administrator(), []
    for _ in range(2):
        client.get(adding_url(customer))
        with CaptureQueriesContext(connection) as queries:
            client.get(adding_url(customer))
            answer = client.get(lines_url(customer)).json()
        counts.append(len(queries))
        for n in range(25):
            brick = make.brick(customer.workspace, f"Brick {n}")
            contracts.add_line(subscription=calls.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR)

    assert counts[0] == counts[1]
    assert (len(answer["results"]), answer["pagination"]["more"]) == (20, True)
