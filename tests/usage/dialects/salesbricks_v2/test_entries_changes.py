"""Salesbricks v2: usage entries changed and deleted."""

from decimal import Decimal

import pytest

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.usage.dialects.salesbricks_v2.client import DELETED, UPDATED, Salesbricks, bad_request, live, not_found
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "quantity", "properties"),
    [
        ({"value": 5}, 5, {"region": "US"}),
        ({"value": 0}, 0, {"region": "US"}),
        ({"properties": {"region": "EU"}}, 1, {"region": "EU"}),
        ({"properties": None}, 1, None),
        ({"value": 5, "properties": []}, 5, []),
    ],
)
def test_an_entry_is_updated_by_its_transaction_id(salesbricks, change, quantity, properties):
    salesbricks.post(properties={"region": "US"})

    response = salesbricks("PATCH", "usage", {"transaction_id": "12345", **change})

    assert (response.status_code, response.json()) == (200, UPDATED)
    assert live() == [("12345", Decimal(quantity), properties)]
    assert list(UsageRecord.objects.order_by("id").values_list("kind", flat=True)) == ["entry", "correction"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"transaction_id": "12345"}, bad_request("Give a value or properties to change.")),
        ({"value": 5}, bad_request(transaction_id="This field is required.")),
        (
            {"transaction_id": "12345", "value": -5},
            bad_request(value="Ensure this value is greater than or equal to 0."),
        ),
        ({"transaction_id": "12345", "value": None}, bad_request(value="This field may not be null.")),
    ],
)
def test_a_bad_update_changes_nothing(salesbricks, change, error):
    salesbricks.post()

    response = salesbricks("PATCH", "usage", change)

    assert (response.status_code, response.json()) == (400, error)
    assert UsageRecord.objects.count() == 1


@pytest.mark.parametrize("number", [Decimal(10) ** 30, Decimal("1E+400"), Decimal("-1E-400")])
def test_properties_with_great_numbers_can_be_corrected_and_taken_back(salesbricks, number):
    salesbricks.post(properties={"n": number})

    assert salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 2}).json() == UPDATED
    assert UsageRecord.objects.live().get().properties == {"n": number}
    assert salesbricks("DELETE", "usage", {"transaction_id": "12345"}).json() == DELETED


def test_an_update_beyond_the_limit_changes_nothing(salesbricks, line):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)
    salesbricks.post(value=7)

    refused = salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 11})

    message = "The limit of this line leaves 3 in the period."
    assert (refused.status_code, refused.json()) == (400, bad_request(message, value=message))
    assert live() == [("12345", Decimal(7), None)]
    assert salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 10}).json() == UPDATED


def test_an_event_is_not_to_be_changed_by_its_key(salesbricks, line):
    make.customer(line.workspace, "Initech", aliases=("initech",))
    make.event(line.workspace, "initech", "2026-07-01", key="12345", dialect="salesbricks_v2")

    for method, change in (("PATCH", {"value": 2}), ("DELETE", {})):
        response = salesbricks(method, "usage", {"transaction_id": "12345", **change})
        assert (response.status_code, response.json()) == (404, not_found())
    assert UsageRecord.objects.live().count() == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("usage", {"transaction_id": "12345"}),
        ("usage/", {"transaction_id": "12345"}),
        ("usage?transaction_id=12345", None),
        ("usage/?transaction_id=12345", {}),
        ("usage?transaction_id=other", {"transaction_id": "12345"}),
    ],
)
def test_an_entry_is_deleted_by_body_or_query(salesbricks, path, body):
    salesbricks.post()

    deleted = salesbricks("DELETE", path, body)
    again = salesbricks("DELETE", path, body)
    late = salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 2})

    assert (deleted.status_code, deleted.json()) == (200, DELETED)
    assert (again.status_code, again.json()) == (404, not_found())
    assert (late.status_code, late.json()) == (404, not_found())
    assert live() == []


def test_a_delete_without_a_transaction_id_names_it(salesbricks):
    response = salesbricks("DELETE", "usage")

    assert (response.status_code, response.json()) == (400, bad_request(transaction_id="This field is required."))


@pytest.mark.parametrize(
    ("query", "message", "name"),
    [
        ("transaction_id=12345&transaction_id=2", "Give this parameter once.", "transaction_id"),
        ("transaction_id=12345&subscription_id=2", "Unknown parameter.", "subscription_id"),
    ],
)
def test_a_query_that_names_more_than_one_entry_is_refused(salesbricks, query, message, name):
    salesbricks.post()

    response = salesbricks("DELETE", f"usage?{query}")

    assert (response.status_code, response.json()) == (400, bad_request(**{name: message}))
    assert UsageRecord.objects.live().count() == 1


@pytest.mark.parametrize(("method", "change"), [("PATCH", {"value": 2}), ("DELETE", {})])
def test_an_unknown_transaction_is_not_found(salesbricks, method, change):
    Salesbricks(make.line(make.workspace("other"))).post()

    response = salesbricks(method, "usage", {"transaction_id": "12345", **change})

    assert (response.status_code, response.json()) == (404, not_found())
    assert live() == [("12345", Decimal(1), None)]


def test_a_retry_after_the_delete_does_not_bring_the_entry_back(salesbricks):
    salesbricks.post()
    salesbricks("DELETE", "usage", {"transaction_id": "12345"})

    assert salesbricks.post().status_code == 400
    assert live() == []


def test_an_entry_corrected_in_the_panel_keeps_its_transaction_id(salesbricks, line):
    recorded = make.use(line, "7", "2026-07-16", key="12345", dialect="salesbricks_v2")
    make.fix(recorded, "8")

    assert salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 9}).json() == UPDATED
    assert live() == [("12345", Decimal(9), None)]


def test_records_of_another_dialect_are_not_known_by_their_key(salesbricks, line):
    make.use(line, "7", "2026-07-16", key="12345", dialect="piriod")

    assert salesbricks("DELETE", "usage", {"transaction_id": "12345"}).status_code == 404
    assert salesbricks.post().status_code == 201
