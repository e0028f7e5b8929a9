"""Salesbricks v2: idempotency keys on all requests that change usage."""

from typing import Any

import pytest
from django.db import connection

from tests import factories as make
from tests.usage.dialects.salesbricks_v2.client import DELETED, SUBMITTED, UPDATED, Salesbricks, bad_request, not_found
from usage.models import StoredReply, UsageRecord

pytestmark = pytest.mark.django_db

KEY = "X_SALESBRICKS_IDEMPOTENT_OPERATION_KEY"
REUSED = bad_request("This idempotency key was used for another request.")


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def key(line):
    return make.api_key(line.workspace)


@pytest.fixture
def under(line, key):
    """Return a client that sends an operation key with each request."""
    return lambda operation: Salesbricks(line, key, **{KEY: operation})


def kinds() -> list[str]:
    return list(UsageRecord.objects.order_by("id").values_list("kind", flat=True))


def answers(*responses: Any) -> list[tuple[int, Any]]:
    return [(response.status_code, response.json()) for response in responses]


def test_each_operation_is_done_once_and_answered_alike(under):
    update, deletion = {"transaction_id": "12345", "value": 2}, {"transaction_id": "12345"}

    assert answers(under("a").post(), under("a").post()) == [(201, SUBMITTED)] * 2
    assert answers(under("b")("PATCH", "usage", update), under("b")("PATCH", "usage", update)) == [(200, UPDATED)] * 2
    assert (
        answers(under("c")("DELETE", "usage", deletion), under("c")("DELETE", "usage", deletion))
        == [(200, DELETED)] * 2
    )
    assert kinds() == ["entry", "correction", "retraction"]


def test_a_failure_is_answered_again_even_where_the_request_would_now_succeed(under):
    update = {"transaction_id": "12345", "value": 2}

    too_early = under("a")("PATCH", "usage", update)
    under("b").post()
    again = under("a")("PATCH", "usage", update)

    assert answers(too_early, again) == [(404, not_found())] * 2
    assert again.headers["Content-Type"] == "application/json"
    assert kinds() == ["entry"]


def test_what_is_no_json_is_answered_again_too(under):
    refused = under("a")("POST", "usage", "{")

    assert refused.status_code == 400
    assert answers(under("a")("POST", "usage", "{")) == answers(refused)
    assert answers(under("a").post()) == [(400, REUSED)]


def test_a_warning_is_answered_again(under):
    entry = under("a").entry(count=5)
    del entry["value"]

    first, again = under("a")("POST", "usage", entry), under("a")("POST", "usage", entry)

    assert first.json()["warnings"][0]["field"] == "count"
    assert again.content == first.content


def test_a_key_that_was_used_for_another_payload_is_refused_and_leaves_the_first_reply(under):
    under("a").post()

    assert answers(under("a").post(value=2), under("a")("DELETE", "usage", under("a").entry())) == [(400, REUSED)] * 2
    assert answers(under("a").post()) == [(201, SUBMITTED)]
    assert kinds() == ["entry"]


def test_while_a_request_is_being_answered_its_key_is_in_conflict(under):
    meanwhile = []

    def interrupt(execute: Any, sql: str, *rest: Any) -> Any:
        if "usage_usagerecord" in sql and not meanwhile:
            meanwhile.append(under("a").post())
            meanwhile.append(under("b").post(transaction_id="other"))
        return execute(sql, *rest)

    with connection.execute_wrapper(interrupt):
        first = under("a").post()

    conflict = {"error": {"code": "ERR_CONFLICT", "message": "A request with this idempotency key is being processed."}}
    assert answers(*meanwhile, first) == [(409, conflict), (201, SUBMITTED), (201, SUBMITTED)]
    assert answers(under("a").post()) == [(201, SUBMITTED)]
    assert list(StoredReply.objects.order_by("key").values_list("key", "status")) == [("a", 201), ("b", 201)]
    assert UsageRecord.objects.count() == 2


@pytest.mark.parametrize("mode", ["live", "twin"])
def test_the_same_key_in_another_workspace_is_another(under, line, mode):
    theirs = make.line(line.workspace.twin if mode == "twin" else make.workspace("other"))
    other = Salesbricks(theirs, **{KEY: "a"})

    assert answers(under("a").post(), other.post()) == [(201, SUBMITTED)] * 2
    assert list(UsageRecord.objects.order_by("id").values_list("line", flat=True)) == [line.pk, theirs.pk]
