"""Salesbricks v2: usage entries submitted."""

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.usage.dialects.clients import ServiceClient
from tests.usage.dialects.salesbricks_v2.client import SUBMITTED, UPDATED, Salesbricks, bad_request, live, not_found
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


DEPRECATION = {"code": "DEPRECATED_FIELD", "field": "count", "message": "'count' is deprecated; use 'value'."}


@pytest.mark.parametrize("path", ["usage", "usage/"])
def test_an_entry_is_recorded(salesbricks, line, path):
    properties = {"source": "api", "notes": "This is a test entry", "region": "US"}

    response = salesbricks("POST", path, salesbricks.entry(value=30, properties=properties))

    record = UsageRecord.objects.get()
    assert response.status_code == 201
    assert response.json() == SUBMITTED
    assert (record.workspace_id, record.line_id, record.quantity) == (line.workspace_id, line.pk, 30)
    assert record.occurred_at == make.moment("2026-07-16 10:15:30")
    assert record.recorded_at == make.moment("2026-07-20 14:00")
    assert (record.source, record.dialect, record.key) == ("api", "salesbricks_v2", "12345")
    assert record.properties == properties


def test_an_entry_sets_a_gauge():
    gauge = make.line(aggregation="unit_days")

    response = Salesbricks(gauge).post(value=3)

    assert response.status_code == 201
    assert live() == [("12345", Decimal(3), None)]


@pytest.mark.parametrize(
    "properties", [None, [], {}, "text", 0, True, [{"a": [None, "ä"]}], {"rate": Decimal("0.1000000000000000055")}]
)
def test_properties_are_kept_whatever_they_are(salesbricks, properties):
    response = salesbricks.post(properties=properties)

    assert response.status_code == 201
    assert UsageRecord.objects.get().properties == properties


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.bound("levels of what is nested in properties")
@pytest.mark.bound("digits of a number in properties, on either side of the point")
@pytest.mark.parametrize("properties", [nested(50), [Decimal("1E+999")], [Decimal("1E-1000")]])
def test_properties_at_the_bounds_are_kept(salesbricks, properties):
    assert salesbricks.post(properties=properties).status_code == 201
    assert UsageRecord.objects.get().properties == properties


@pytest.mark.bound("levels of what is nested in properties")
@pytest.mark.bound("digits of a number in properties, on either side of the point")
@pytest.mark.parametrize(
    "properties",
    [
        [Decimal("1E+1000")],
        [Decimal("1E-1001")],
        nested(51),
        Decimal("1E+5000"),
        Decimal("1E-200000"),
        [Decimal("1E+999999")],
    ],
)
def test_properties_that_no_database_keeps_are_refused(salesbricks, properties):
    message = "These properties are nested too deeply, or contain a number with too many digits."

    response = salesbricks.post(properties=properties)

    assert (response.status_code, response.json()) == (400, bad_request(message, properties=message))
    assert live() == []


def test_a_time_without_an_offset_is_utc(salesbricks):
    salesbricks.post(time="2026-07-16T10:15:30")

    assert UsageRecord.objects.get().occurred_at == make.moment("2026-07-16 10:15:30")


@pytest.mark.parametrize("repeat", [{}, {"value": 2}, {"time": "2026-07-17T00:00:00Z"}])
def test_a_transaction_id_is_taken_once(salesbricks, repeat):
    salesbricks.post()

    response = salesbricks.post(**repeat)

    message = "Usage with this id was already recorded."
    assert (response.status_code, response.json()) == (400, bad_request(message, transaction_id=message))
    assert live() == [("12345", Decimal(1), None)]


def test_another_workspace_may_use_the_same_transaction_id(salesbricks):
    salesbricks.post()

    assert Salesbricks(make.line(make.workspace("other"))).post().status_code == 201


@pytest.mark.parametrize(
    ("field", "sent", "error"),
    [
        ("transaction_id", "", "This field may not be blank."),
        ("transaction_id", "  ", "This field may not be blank."),
        ("transaction_id", None, "This field may not be null."),
        ("transaction_id", "x" * 256, "Ensure this field has no more than 255 characters."),
        ("transaction_id", True, "Not a valid string."),
        ("subscription_id", "12345", "Must be a valid UUID."),
        ("brick_id", ["12345"], "Must be a valid UUID."),
        ("value", -1, "Ensure this value is greater than or equal to 0."),
        ("value", Decimal("1.5"), "A valid integer is required."),
        ("value", "many", "A valid integer is required."),
        ("value", True, "A valid integer is required."),
        ("value", None, "This field may not be null."),
        ("value", 10**15, "Ensure that there are no more than 15 digits before the decimal point."),
    ],
)
def test_a_bad_field_is_named(salesbricks, field, sent, error):
    response = salesbricks.post(**{field: sent})

    assert (response.status_code, response.json()) == (400, bad_request(**{field: error}))
    assert UsageRecord.objects.count() == 0


@pytest.mark.parametrize("sent", [Decimal("7.0"), "7", 7])
def test_a_value_is_whole_however_it_is_written(salesbricks, sent):
    assert salesbricks.post(value=sent).status_code == 201
    assert live() == [("12345", Decimal(7), None)]


def test_the_longest_transaction_id_is_taken(salesbricks):
    assert salesbricks.post(transaction_id="ü" * 255).status_code == 201


def test_every_missing_field_is_named(salesbricks):
    response = salesbricks("POST", "usage", {})

    required = "This field is required."
    assert response.status_code == 400
    assert response.json() == bad_request(
        transaction_id=required, subscription_id=required, brick_id=required, value=required, time=required
    )


@pytest.mark.parametrize("field", ["subscription_id", "brick_id"])
def test_an_unknown_subscription_or_brick_is_not_found(salesbricks, field):
    response = salesbricks.post(**{field: str(uuid.uuid4())})

    assert response.status_code == 404
    assert response.json() == not_found("Unknown subscription or brick.")


def test_a_brick_that_is_not_metered_is_refused():
    seats = make.line(aggregation="none", model="flat")

    response = Salesbricks(seats).post()

    message = "This line is not metered: it takes no usage."
    assert (response.status_code, response.json()) == (400, bad_request(message, brick_id=message))


def test_a_brick_that_counts_events_is_refused(line):
    counting = make.counting_line(line.subscription.customer, make.event_brick(line.workspace))

    response = Salesbricks(counting).post()

    message = "This line counts events: it takes no usage of its own."
    assert (response.status_code, response.json()) == (400, bad_request(message, brick_id=message))


def test_a_brick_takes_no_more_than_its_limit(salesbricks, line):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)
    salesbricks.post(value=7)

    refused = salesbricks.post(transaction_id="2", value=4)

    message = "The limit of this line leaves 3 in the period."
    assert (refused.status_code, refused.json()) == (400, bad_request(message, value=message))
    assert salesbricks.post(transaction_id="2", value=3).status_code == 201


def test_usage_outside_the_subscription_is_refused():
    ended = make.line(ends_on=date(2026, 7, 1))

    response = Salesbricks(ended).post(time="2026-07-01T00:00:00Z")

    message = "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-07-01T00:00:00+00:00."
    assert (response.status_code, response.json()) == (400, bad_request(message, time=message))


def test_count_is_taken_with_a_warning(salesbricks):
    entry = salesbricks.entry(count=5)
    del entry["value"]

    submitted = salesbricks("POST", "usage", entry)
    updated = salesbricks("PATCH", "usage", {"transaction_id": "12345", "count": 6, "value": None})

    assert (submitted.status_code, submitted.json()) == (201, {**SUBMITTED, "warnings": [DEPRECATION]})
    assert (updated.status_code, updated.json()) == (200, {**UPDATED, "warnings": [DEPRECATION]})
    assert live() == [("12345", Decimal(6), None)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"count": 5}, "Give either 'value' or 'count', not both."),
        ({"value": None, "count": -5}, "Ensure this value is greater than or equal to 0."),
    ],
)
def test_a_bad_count_is_named(salesbricks, fields, error):
    response = salesbricks.post(**fields)

    assert (response.status_code, response.json()) == (400, bad_request(count=error))


def test_a_key_of_the_twin_reports_to_the_twin(line):
    testing = make.line(line.workspace.twin)

    assert Salesbricks(testing).post().status_code == 201
    assert Salesbricks(line, key=make.api_key(line.workspace.twin)).post(transaction_id="2").status_code == 404
    assert UsageRecord.objects.get().workspace == line.workspace.twin


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_other_methods_are_not_allowed(salesbricks, method):
    response = salesbricks(method, "usage")

    assert response.status_code == 405
    assert response.json() == {
        "error": {"code": "ERR_METHOD_NOT_ALLOWED", "message": f'Method "{method}" not allowed.'}
    }


def test_a_path_that_is_not_served_is_not_found(salesbricks):
    response = ServiceClient(salesbricks.mount, salesbricks.headers)("GET", "plans")

    assert (response.status_code, response.json()) == (404, not_found("Not found."))
