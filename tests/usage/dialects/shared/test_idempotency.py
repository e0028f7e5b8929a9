"""Idempotency keys, in the dialects that have them."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from itertools import product
from time import monotonic

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from billing import parties
from billing.keys import create_key
from billing.models import ApiKey, Line
from tests import factories as make
from tests.concurrency.threads import at_once
from tests.failures import lost_connection
from tests.statements import about_rows
from tests.usage.dialects.clients import ServiceClient
from usage import tasks
from usage.dialects.shared.idempotency import EXPIRED_AT_ONCE, expire_replies, fingerprint
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


def fail_after_insert(execute, sql, *rest):
    result = execute(sql, *rest)
    if "INTO usage_usagerecord" in sql:
        raise RuntimeError("a fault after the insert")
    return result


def ledger():
    return list(UsageRecord.objects.order_by("id").values_list("key", "quantity"))


def test_a_fingerprint_is_as_those_that_are_kept():
    request = Request(APIRequestFactory().post("/usage/?b=2&a=1"))
    body = b'{"b": [7.0, true, -120, {}, []], "a": null, "c": {"d": "\xc3\xbc"}}'

    meaning = r'{"a":null,"b":[7e0,true,-12e1,{},[],],"c":{"d":"\u00fc",},}'
    about = '["POST", "/usage", [["a", ["1"]], ["b", ["2"]]]]'
    assert fingerprint(request, body) == hashlib.sha256(f"{about}\0{meaning}".encode()).hexdigest()


def test_a_fingerprint_takes_no_longer_for_what_is_nested_deep():
    request = Request(APIRequestFactory().post("/usage/"))
    began = monotonic()

    fingerprint(request, b"[" * 900 + b"1," * 400_000 + b"1" + b"]" * 900)

    # Some 30 seconds where each token passes through every level.
    assert monotonic() - began < 10


def test_a_repeat_gets_the_first_reply_and_records_nothing(line, key):
    send = client_of(key)

    first, again = send("POST", "/usage", entry(line)), send("POST", "/usage", entry(line))

    assert (first.status_code, first.content) == (201, b'{"message":"Usage entry submitted successfully."}')
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert ledger() == [("t-1", 7)]


def test_a_refusal_is_kept_too_where_the_vendor_keeps_it(line, key):
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


@pytest.mark.bound("characters of an idempotency key")
@pytest.mark.parametrize("sent", ["k" * 256, "clé"])
def test_a_key_that_can_not_be_kept_is_refused(line, key, sent):
    response = client_of(key, sent)("POST", "/usage", entry(line))

    assert response.status_code == 400
    assert "X-SALESBRICKS-IDEMPOTENT-OPERATION-KEY" in response.json()["error"]["message"]
    assert ledger() == []


@pytest.mark.bound("characters of an idempotency key")
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


def test_a_fault_is_kept_where_the_vendor_keeps_it_and_what_it_began_is_not(line, key):
    with connection.execute_wrapper(fail_after_insert):
        first = client_of(key)("POST", "/usage", entry(line))
    again = client_of(key)("POST", "/usage", entry(line))

    assert (first.status_code, again.status_code) == (500, 500)
    assert ledger() == []


def native(key, idempotency_key="once"):
    return ServiceClient("/api", {"authorization": f"Bearer {key}", "idempotency-key": idempotency_key})


def usage(line_reference, **fields):
    return {"line": line_reference, "quantity": 7, "occurred_at": "2026-07-16T10:15:30Z", **fields}


def test_what_was_refused_is_worked_on_anew_once_nothing_is_in_its_way(line, key):
    refused = native(key)("POST", "/usage/", usage("line-1"))
    Line.objects.filter(pk=line.pk).update(reference="line-1")

    taken, again = (native(key)("POST", "/usage/", usage("line-1")) for _ in range(2))

    assert (refused.status_code, taken.status_code) == (422, 201)
    assert again.content == taken.content
    assert ledger() == [(None, 7)]


def test_a_fault_is_worked_on_anew_and_leaves_nothing(line, key):
    with connection.execute_wrapper(fail_after_insert):
        assert native(key)("POST", "/usage/", usage(line.number)).status_code == 500
    assert (StoredReply.objects.count(), ledger()) == (0, [])

    assert native(key)("POST", "/usage/", usage(line.number)).status_code == 201


def test_a_batch_of_which_nothing_was_taken_is_worked_on_anew(line, key):
    batch = {"records": [usage("line-1", key="a"), usage("line-2", key="b")]}
    first = native(key)("POST", "/usage/batch/", batch).json()
    Line.objects.filter(pk=line.pk).update(reference="line-1")

    second, third = (native(key)("POST", "/usage/batch/", batch).json() for _ in range(2))

    assert (first["recorded"], first["refused"]) == (0, 2)
    assert (second["recorded"], second["refused"]) == (1, 1)
    assert third == second
    assert ledger() == [("a", 7)]


def test_a_refused_alias_can_be_given_under_the_same_key(key):
    credentials = b64encode(f"acme:{key}".encode()).decode()
    sequence = ServiceClient("/sequence/api", {"authorization": f"Basic {credentials}", "idempotency-key": "once"})
    workspace = ApiKey.objects.get().workspace
    first, second = make.customer(workspace, "Globex", aliases=("g",)), make.customer(workspace, "Initech")
    alias = {"customerId": str(second.pk), "value": "g"}

    taken = sequence("POST", "/customer-aliases", alias)
    parties.remove_alias(alias=first.aliases.get(), actor=make.ACTOR)

    assert taken.status_code == 409
    assert sequence("POST", "/customer-aliases", alias).status_code == 201


AS_SENT = '{"line": %s, "quantity": 7, "occurred_at": "2026-07-16T10:15:30Z", "properties": {"a": [1, 2], "b": "é"}}'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/usage/", AS_SENT.replace(" ", "").replace("T10", "T10")),
        ("/usage", AS_SENT),
        ("//usage", AS_SENT),
        ("/usage//", AS_SENT),
        ("/usage/", AS_SENT.replace("7,", "7.00,")),
        ("/usage/", AS_SENT.replace("7,", "70e-1,")),
        ("/usage/", AS_SENT.replace('"é"', '"\\u00e9"')),
        (
            "/usage",
            '{"properties": {"b": "é", "a": [1.0, 2]}, "quantity": 7, "line": %s,'
            ' "occurred_at": "2026-07-16T10:15:30Z"}',
        ),
    ],
)
def test_the_same_request_written_in_another_way_is_the_same(line, key, path, body):
    first = native(key)("POST", "/usage/", AS_SENT % line.number)

    again = native(key)("POST", path, body % line.number)

    assert (again.status_code, again.content) == (201, first.content)
    assert ledger() == [(None, 7)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/usage/?a=1", AS_SENT),
        ("/usage/", AS_SENT.replace("7,", '"7",')),
        ("/usage/", AS_SENT.replace("7,", "7.000000001,")),
        ("/usage/", AS_SENT.replace("[1, 2]", "[2, 1]")),
        ("/usage/", AS_SENT.replace('"é"', '"É"')),
        ("/usage/", AS_SENT.replace("[1, 2]", "[true, 2]")),
        ("/usage/", AS_SENT.replace("[1, 2]", "[10, 2]")),
        ("/usage/", AS_SENT.replace("[1, 2]", "null")),
    ],
)
def test_a_request_that_means_something_else_is_another(line, key, path, body):
    native(key)("POST", "/usage/", AS_SENT % line.number)

    again = native(key)("POST", path, body % line.number)

    assert (again.status_code, again.json()["detail"]) == (422, "This idempotency key was used for another request.")


def test_the_order_of_parameters_makes_no_other_request(line, key):
    sent = {"reference": "r-1"}
    urls = ("/customers/?a=1&b=2&b=3", "/customers/?b=2&b=3&a=1", "/customers/?a=1&b=3&b=2")

    replies = [native(key)("POST", url, {"name": "Globex", **sent}) for url in urls]

    assert [reply.status_code for reply in replies] == [201, 201, 422]


@pytest.mark.bound("STORED_REPLY_DAYS")
def test_replies_expire(line, key, settings):
    settings.STORED_REPLY_DAYS = 30
    first = native(key, "first")("POST", "/usage/", usage(line.number, key="a")).json()
    native(key, "second")("POST", "/usage/", usage(line.number, key="b"))
    now = datetime(2026, 7, 20, 14, tzinfo=UTC)
    StoredReply.objects.filter(key="first").update(created_at=now - timedelta(days=30, microseconds=1))
    StoredReply.objects.filter(key="second").update(created_at=now - timedelta(days=30))

    assert expire_replies(as_of=now) == 1

    assert [reply.key for reply in StoredReply.objects.all()] == ["second"]
    # Its key is a new one then; the record's own key still stands.
    repeated = native(key, "first")("POST", "/usage/", usage(line.number, key="a"))
    assert (repeated.status_code, repeated.json()["record"]) == (409, first["id"])


def test_replies_expire_in_batches(line, key):
    api_key, long_ago = ApiKey.objects.get(), datetime(2026, 1, 1, tzinfo=UTC)
    StoredReply.objects.bulk_create(
        StoredReply(
            workspace=line.workspace, api_key=api_key, key=f"k-{n}", fingerprint="", status=201, created_at=long_ago
        )
        for n in range(EXPIRED_AT_ONCE + 1)
    )

    with CaptureQueriesContext(connection) as queries:
        assert expire_replies(as_of=datetime(2026, 7, 20, tzinfo=UTC)) == EXPIRED_AT_ONCE + 1

    assert len(about_rows(queries)) == 5


def test_old_replies_expire_whosever_they_are():
    now, owners = datetime(2026, 7, 20, tzinfo=UTC), [make.workspace(), make.workspace("other")]
    for owner, (name, age) in product(owners, {"old": timedelta(days=400), "young": timedelta(0)}.items()):
        api_key, _ = create_key(workspace=owner, name=name, actor=make.actor("tests"))
        StoredReply.objects.create(
            workspace=owner, api_key=api_key, key=name, fingerprint="", status=201, created_at=now - age
        )

    assert expire_replies(as_of=now) == 2

    kept = StoredReply.objects.values_list("workspace", "key")
    assert set(kept) == {(owner.pk, "young") for owner in owners}


def test_the_schedule_removes_old_replies(settings):
    turn = settings.CELERY_BEAT_SCHEDULE["remove old replies"]

    assert tasks.expire_replies.name == turn["task"]


@pytest.mark.bound("KEYLESS_RECORDS")
@pytest.mark.parametrize(("keyless", "status"), [(3, 200), (4, 422)])
def test_a_batch_whose_reply_would_be_too_large_to_keep_is_refused_before_anything_is_done(
    line, key, settings, keyless, status
):
    settings.KEYLESS_RECORDS = 3
    records = [usage(line.number)] * keyless + [usage(line.number, key=f"k-{n}") for n in range(5)]

    response = native(key)("POST", "/usage/batch/", {"records": records})

    assert response.status_code == status
    assert UsageRecord.objects.count() == (0 if status == 422 else 8)
    if status == 422:
        assert [wrong["field"] for wrong in response.json()["errors"]] == ["records"]
        assert StoredReply.objects.count() == 0
        junk = [usage(line.pk, key=key) for key in (1, "", "k" * 256, None)]
        assert native(key)("POST", "/usage/batch/", {"records": junk}).status_code == 422
        without = ServiceClient("/api", {"authorization": f"Bearer {key}"})
        assert without("POST", "/usage/batch/", {"records": records}).json()["recorded"] == 9


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_recorded_and_the_others_are_told(line, key):
    replies = at_once([lambda: client_of(key)("POST", "/usage", entry(line)).status_code] * 8)

    assert set(replies) <= {201, 409}
    assert 201 in replies
    assert ledger() == [("t-1", 7)]
    assert StoredReply.objects.get().created_at > datetime(2026, 1, 1, tzinfo=UTC)
