"""Idempotency keys, as the dialects that have them share them."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from tests import factories as make
from tests.concurrency.threads import at_once
from tests.failures import lost_connection
from tests.usage.dialects.clients import ServiceClient
from usage.models import StoredReply, UsageRecord

pytestmark = pytest.mark.django_db

HEADER = "x-salesbricks-idempotent-operation-key"


def client_of(key, idempotency_key="once"):
    return ServiceClient("/salesbricks/api/v2", {"x-salesbricks-key": key, HEADER: idempotency_key})


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def key(line):
    return make.api_key(line.workspace)


def entry(line, transaction_id="t-1", value=7):
    return {
        "transaction_id": transaction_id,
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "value": value,
        "time": "2026-07-16T10:15:30Z",
    }


def ledger():
    return list(UsageRecord.objects.order_by("id").values_list("key", "quantity"))


def test_a_repeat_gets_the_first_reply_and_records_nothing(line, key):
    send = client_of(key)

    first, again = send("POST", "/usage", entry(line)), send("POST", "/usage", entry(line))

    assert (first.status_code, first.content) == (201, b'{"message":"Usage entry submitted successfully."}')
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert ledger() == [("t-1", 7)]


def test_a_refusal_is_kept_too(line, key):
    send = client_of(key)
    refused = send("POST", "/usage", entry(make.line(make.workspace("other"))))
    repeated = send("POST", "/usage", entry(make.line(make.workspace("third"))))

    assert refused.status_code == 404
    assert repeated.json()["error"]["message"] == "This idempotency key was used for another request."


def test_the_same_key_with_another_payload_is_refused(line, key):
    send = client_of(key)
    send("POST", "/usage", entry(line))

    response = send("POST", "/usage", entry(line, "t-2"))

    assert (response.status_code, response.json()) == (
        400,
        {"error": {"code": "ERR_BAD_REQUEST", "message": "This idempotency key was used for another request."}},
    )
    assert ledger() == [("t-1", 7)]


def test_the_same_key_with_another_method_is_another_request(line, key):
    send = client_of(key)
    send("POST", "/usage", entry(line))

    assert send("DELETE", "/usage", entry(line)).status_code == 400


def test_a_key_belongs_to_the_api_key(line, key):
    other = make.api_key(line.workspace)
    client_of(key)("POST", "/usage", entry(line))

    assert client_of(other)("POST", "/usage", entry(line, "t-2")).status_code == 201
    assert ledger() == [("t-1", 7), ("t-2", 7)]


def test_reading_needs_no_key_and_keeps_nothing(line, key):
    client_of(key)("GET", "/usage")

    assert StoredReply.objects.count() == 0


def test_a_request_that_was_not_let_in_keeps_nothing(line, key):
    client_of("nobody's key at all")("POST", "/usage", entry(line))

    assert StoredReply.objects.count() == 0
    assert client_of(key)("POST", "/usage", entry(line)).status_code == 201


@pytest.mark.parametrize("sent", ["k" * 256, "clé"])
def test_a_key_that_can_not_be_kept_is_refused(line, key, sent):
    response = client_of(key, sent)("POST", "/usage", entry(line))

    assert response.status_code == 400
    assert "X-SALESBRICKS-IDEMPOTENT-OPERATION-KEY" in response.json()["error"]["message"]
    assert ledger() == []


def test_the_longest_key_is_taken(line, key):
    assert client_of(key, "k" * 255)("POST", "/usage", entry(line)).status_code == 201


def test_with_the_database_down_nothing_is_kept_and_the_repeat_goes_through(line, key):
    def fail(execute, sql, *rest):
        if "INSERT INTO usage_usagerecord" in sql or "INSERT\nINTO usage_usagerecord" in sql:
            raise lost_connection()
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        assert client_of(key)("POST", "/usage", entry(line)).status_code == 503

    assert StoredReply.objects.count() == 0
    assert client_of(key)("POST", "/usage", entry(line)).status_code == 201


def test_a_fault_is_kept_and_what_it_began_is_not(line, key):
    def fail(execute, sql, *rest):
        result = execute(sql, *rest)
        if "INTO usage_usagerecord" in sql:
            raise RuntimeError("a fault after the insert")
        return result

    with connection.execute_wrapper(fail):
        first = client_of(key)("POST", "/usage", entry(line))
    again = client_of(key)("POST", "/usage", entry(line))

    assert (first.status_code, again.status_code) == (500, 500)
    assert ledger() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_recorded_and_the_others_are_told(line, key):
    replies = at_once([lambda: client_of(key)("POST", "/usage", entry(line)).status_code] * 8)

    assert set(replies) <= {201, 409}
    assert 201 in replies
    assert ledger() == [("t-1", 7)]
    assert StoredReply.objects.get().created_at > datetime(2026, 1, 1, tzinfo=UTC)
