from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as given
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Line, Subscription
from tests import factories as make
from tests.failures import lost_connection
from tests.usage.dialects.native.client import Native, wrong
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-07-16T10:15:30Z"


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def api(line):
    return Native(line.workspace)


def report(of: Line, **details: Any) -> dict[str, Any]:
    return {"line": of.number, "quantity": 1, "occurred_at": AT, **details}


def test_each_record_is_taken_or_refused_for_itself(api, line):
    Line.objects.filter(pk=line.pk).update(reference="li_1")
    customer = make.customer(line.workspace, "Initech", aliases=["initech"])
    known = make.use(line, "1", "2026-07-15", key="known", dialect="native")

    response = api.post(
        "usage/batch/",
        records=[
            report(line, quantity="7.25", key="new", properties={"cost": Decimal("0.10")}),
            report(line, line="li_1", note="by hand"),
            report(line, line="li_2"),
            report(line, key="known"),
            report(line, key="new"),
            report(line, quantity="many", occurred_at="then"),
            report(line, occurred_at="2020-01-01T00:00:00Z"),
            {"customer_alias": "initech", "event_type": "sent", "occurred_at": AT},
            {"subscription": str(line.subscription_id), "brick": "br_9", "quantity": 1, "occurred_at": AT},
            "no record",
            None,
        ],
    )

    told = response.json()
    first, second, event = UsageRecord.objects.exclude(pk=known.id).order_by("pk")
    no_moment = (
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
    )
    not_active = "The line was not active then, only from 2026-01-01T00:00:00+00:00."
    assert response.status_code == 200
    assert (told["recorded"], told["duplicate"], told["refused"]) == (3, 2, 6)
    assert told["results"] == [
        {"index": 0, "status": "recorded", "id": first.pk},
        {"index": 1, "status": "recorded", "id": second.pk},
        refused(2, line="There is no such line."),
        {"index": 3, "status": "duplicate", "id": known.id},
        {"index": 4, "status": "duplicate", "id": first.pk},
        refused(5, quantity="A valid number is required.", occurred_at=no_moment),
        refused(6, occurred_at=not_active),
        {"index": 7, "status": "recorded", "id": event.pk},
        refused(8, brick="There is no such brick."),
        refused(9, **{"": "Invalid data. Expected a dictionary, but got str."}),
        refused(10, **{"": "This field may not be null."}),
    ]
    assert (first.quantity, first.key, first.properties) == (Decimal("7.25"), "new", {"cost": Decimal("0.10")})
    assert (second.note, second.dialect, event.customer) == ("by hand", "native", customer)


def refused(index: int, **errors: str) -> dict[str, Any]:
    wrong = [{"field": field, "message": message} for field, message in errors.items()]
    return {"index": index, "status": "refused", "errors": wrong}


TOO_MANY = f"Must have from 1 to {given.RECORDS_PER_BATCH} records."


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("[]", {}),
        ("null", {}),
        ("{}", {"records": "This field is required."}),
        ('{"records": null}', {"records": "This field is required."}),
        ('{"records": {}}', {"records": "Must be a list of records."}),
        ('{"records": []}', {"records": TOO_MANY}),
        (f'{{"records": [{"1," * given.RECORDS_PER_BATCH}1]}}', {"records": TOO_MANY}),
    ],
)
@pytest.mark.bound("RECORDS_PER_BATCH")
def test_what_is_no_batch_is_refused(api, body, errors):
    assert wrong(api("POST", "usage/batch/", body)) == (422, errors)


@pytest.mark.bound("RECORDS_PER_BATCH")
def test_the_greatest_batch_is_taken(api, line):
    response = api.post("usage/batch/", records=[report(line)] * given.RECORDS_PER_BATCH)

    assert response.json()["recorded"] == UsageRecord.objects.count() == given.RECORDS_PER_BATCH


def test_a_batch_with_an_idempotency_key_is_recorded_once(line):
    api = Native(line.workspace, **{"idempotency-key": "i-1"})

    replies = [api.post("usage/batch/", records=[report(line), report(line)]).json() for _ in range(2)]

    assert replies[0] == replies[1]
    assert UsageRecord.objects.count() == 2


def test_with_the_database_down_at_the_insert_nothing_is_said_to_be_accepted(api, line):
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            raise lost_connection()
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        response = api.post("usage/batch/", records=[report(line)])

    assert wrong(response) == (503, {})
    assert not UsageRecord.objects.exists()


def test_another_workspaces_lines_are_as_absent_as_any(api, line):
    theirs = make.line(make.workspace("other", next_line_number=1000))
    Subscription.objects.filter(pk=theirs.subscription_id).update(reference="sub_1")
    by_id = {"subscription": str(theirs.subscription_id), "brick": str(theirs.brick_id)}

    told = api.post(
        "usage/batch/",
        records=[
            report(theirs),
            {**by_id, "quantity": 1, "occurred_at": AT},
            {**by_id, "subscription": "sub_1", "quantity": 1, "occurred_at": AT},
        ],
    ).json()

    assert told["results"] == [
        refused(0, line="There is no such line."),
        refused(1, line="There is no such line."),
        refused(2, subscription="There is no such subscription."),
    ]


@pytest.mark.parametrize("size", [1, 100])
def test_the_number_of_statements_does_not_grow_with_the_batch(api, line, size):
    Subscription.objects.filter(pk=line.subscription_id).update(reference="sub_1")
    known = [report(line, key=f"known-{n}") for n in range(size)]
    api.post("usage/batch/", records=known)
    named = {"subscription": "sub_1", "brick": str(line.brick_id), "quantity": 1, "occurred_at": AT}
    records = [*known, *(named for _ in range(size)), *(report(line, line=10**9 + n) for n in range(size))]

    with CaptureQueriesContext(connection) as queries:
        api.post("usage/batch/", records=records)

    statements = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    # The subscriptions and the bricks that are named; the lines, the ids, the records, and who has the keys taken.
    assert statements == ["SELECT", "SELECT", "WITH", "SELECT", "INSERT", "SELECT"]
