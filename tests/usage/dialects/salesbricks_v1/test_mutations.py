"""Salesbricks v1: usage reported by mutations, and their errors."""

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing import contracts
from billing.models import InvoiceLine
from tests import factories as make
from tests.failures import lost_connection
from tests.scenarios.closing import close_and_issue, totals
from tests.usage.dialects.clients import ServiceClient
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

COUNTED = {"data": {"incrementCounter": {"success": True}}}
SET = {"data": {"setGauge": {"success": True}}}
INCREMENT = """
mutation Increment($timestamp: DateTime!, $subscriptionId: String!, $brickId: String!, $count: Int!) {
  incrementCounter(timestamp: $timestamp, subscriptionId: $subscriptionId, brickId: $brickId, count: $count) {
    success
  }
}
"""
SET_GAUGE = INCREMENT.replace("incrementCounter", "setGauge").replace("count", "value")
# The second mutation stands in the 3rd line, where its column is 3.
BOTH = """
mutation ($timestamp: DateTime!, $subscriptionId: String!, $brickId: String!, $first: Int!, $second: Int!) {
  first: incrementCounter(timestamp: $timestamp, subscriptionId: $subscriptionId, brickId: $brickId, count: $first) {
    success
  }
  second: incrementCounter(timestamp: $timestamp, subscriptionId: $subscriptionId, brickId: $brickId, count: $second) {
    success
  }
}
""".lstrip()


@pytest.fixture
def line():
    return make.line(make.workspace(time_zone="America/New_York"))


@pytest.fixture
def gauge():
    return make.line(make.workspace(), aggregation="unit_days")


class Salesbricks(ServiceClient):
    """Reports one line's usage."""

    def __init__(self, line: Any, key: str | None = None, **headers: str) -> None:
        key = key or make.api_key(line.workspace)
        super().__init__("/salesbricks/api/v1/", {"x-salesbricks-key": key, **headers})
        self.line = line

    def variables(self, **given: Any) -> dict[str, Any]:
        return {
            "timestamp": "2026-07-16T10:15:30Z",
            "subscriptionId": str(self.line.subscription_id),
            "brickId": str(self.line.brick_id),
            **given,
        }

    def ask(self, query: str, **members: Any) -> Any:
        return self("POST", "usage", {"query": query, **members})

    def increment(self, **given: Any) -> Any:
        return self.ask(INCREMENT, variables=self.variables(**{"count": 7, **given}))

    def set(self, **given: Any) -> Any:
        return self.ask(SET_GAUGE, variables=self.variables(**{"value": 7, **given}))

    def literal(self, count: str, timestamp: str = '"2026-07-16T10:15:30Z"', **members: Any) -> Any:
        """Send a mutation with its values written into it."""
        return self.ask(
            f"""mutation {{ incrementCounter(
            timestamp: {timestamp}
            subscriptionId: "{self.line.subscription_id}"
            brickId: "{self.line.brick_id}"
            count: {count}
            ) {{ success }} }}""",
            **members,
        )


@pytest.fixture
def salesbricks(line):
    return Salesbricks(line)


def refused(mutation: str, message: str, field: str) -> dict[str, Any]:
    """What is answered to a mutation that stands in the 3rd line of its query."""
    return {
        "data": None,
        "errors": [
            {
                "message": message,
                "locations": [{"line": 3, "column": 3}],
                "path": [mutation],
                "extensions": {"code": "BAD_USER_INPUT", "field": field},
            }
        ],
    }


def quantities() -> list[Decimal | None]:
    return list(UsageRecord.objects.order_by("id").values_list("quantity", flat=True))


@pytest.mark.parametrize("path", ["usage", "usage/"])
def test_a_counter_is_incremented(salesbricks, line, path):
    response = salesbricks("POST", path, {"query": INCREMENT, "variables": salesbricks.variables(count=30)})

    record = UsageRecord.objects.get()
    assert (response.status_code, response.json()) == (200, COUNTED)
    assert (record.workspace_id, record.line_id, record.quantity) == (line.workspace_id, line.pk, 30)
    assert record.occurred_at == make.moment("2026-07-16 10:15:30")
    assert record.recorded_at == make.moment("2026-07-20 14:00")
    assert (record.source, record.dialect, record.key) == ("api", "salesbricks_v1", None)


def test_a_gauge_is_set(gauge):
    response = Salesbricks(gauge).set(value=3)

    assert (response.status_code, response.json()) == (200, SET)
    assert quantities() == [3]


def test_two_counts_of_a_month_are_billed_as_their_sum_with_that_months_invoice():
    line = make.line(unit_price="2")
    salesbricks = Salesbricks(line)

    salesbricks.increment(timestamp="2026-01-05T10:00:00Z", count=10)
    salesbricks.increment(timestamp="2026-01-26T10:00:00Z", count=20)
    close_and_issue(line.workspace, "2026-02-01")

    assert InvoiceLine.objects.get().quantity == 30
    assert totals(line.workspace) == ["60.00"]


def test_the_same_request_again_counts_again(salesbricks):
    salesbricks.increment()
    salesbricks.increment()

    assert quantities() == [7, 7]


@pytest.mark.parametrize(
    "members",
    [{}, {"operationName": None, "variables": {}}, {"operationName": "", "variables": None, "extensions": {"a": 1}}],
)
def test_values_may_be_written_into_the_query(salesbricks, members):
    response = salesbricks.literal("7", timestamp='"2026-07-16T10:15:30"', **members)

    assert (response.status_code, response.json()) == (200, COUNTED)
    assert UsageRecord.objects.get().occurred_at == make.moment("2026-07-16 10:15:30")


def test_one_of_several_operations_is_run_by_its_name(gauge):
    query = INCREMENT + SET_GAUGE.replace("Increment", "Set")
    salesbricks = Salesbricks(gauge)
    variables = salesbricks.variables(value=5)

    ran = salesbricks.ask(query, operationName="Set", variables=variables)
    unnamed = salesbricks.ask(query, variables=variables)
    unknown = salesbricks.ask(query, operationName="Reset", variables=variables)

    assert (ran.status_code, ran.json()) == (200, SET)
    assert (unnamed.status_code, unnamed.json()) == (
        400,
        {"errors": [{"message": "Must provide operation name if query contains multiple operations."}]},
    )
    assert (unknown.status_code, unknown.json()) == (
        400,
        {"errors": [{"message": "Unknown operation named 'Reset'."}]},
    )
    assert quantities() == [5]


@pytest.mark.parametrize("sent", [0, 7, Decimal("7.0"), Decimal("7E0"), 2147483647, Decimal("2.147483647E9")])
def test_a_count_is_any_whole_number_of_31_bits_however_it_is_written(salesbricks, sent):
    assert salesbricks.increment(count=sent).json() == COUNTED
    assert quantities() == [sent]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (2147483648, "Int cannot represent non 32-bit signed integer value: 2147483648"),
        (Decimal("2147483648.0"), "Int cannot represent non 32-bit signed integer value: 2147483648"),
        (-2147483649, "Int cannot represent non 32-bit signed integer value: -2147483649"),
        (2**63, f"Int cannot represent non 32-bit signed integer value: {2**63}"),
        (2**64, f"Int cannot represent non-integer value: {2**64}"),
        (Decimal("1E+400"), "Int cannot represent non-integer value: 1E+400"),
        (Decimal("1E+999999999"), "Int cannot represent non-integer value: 1E+999999999"),
        (Decimal("-1E+999999999"), "Int cannot represent non-integer value: -1E+999999999"),
        (Decimal("1E-999999999"), "Int cannot represent non-integer value: 1E-999999999"),
        ([Decimal("1E+999999999")], "Int cannot represent non-integer value: [<Decimal instance>]"),
        (Decimal("7.5"), "Int cannot represent non-integer value: 7.5"),
        (Decimal("1E-400"), "Int cannot represent non-integer value: 1E-400"),
        ("7", "Int cannot represent non-integer value: '7'"),
        (True, "Int cannot represent non-integer value: True"),
        ([7], "Int cannot represent non-integer value: [7]"),
        ({"a": Decimal("7.5")}, "Int cannot represent non-integer value: {'a': <Decimal instance>}"),
    ],
)
def test_a_count_that_is_no_int_is_refused_before_anything_runs(salesbricks, sent, message):
    response = salesbricks.increment(count=sent)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["message"].startswith("Variable '$count' got invalid value ")
    assert error["message"].endswith(f"; {message}")
    assert error["locations"] == [{"line": 2, "column": 88}]
    assert set(error) == {"message", "locations"}
    assert quantities() == []


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("2147483648", "Int cannot represent non 32-bit signed integer value: 2147483648"),
        ("7.0", "Int cannot represent non-integer value: 7.0"),
        ('"7"', 'Int cannot represent non-integer value: "7"'),
        ("true", "Int cannot represent non-integer value: true"),
        ("null", "Expected value of type 'Int!', found null."),
        ("1e400", "Int cannot represent non-integer value: 1e400"),
        ("1e999999999", "Int cannot represent non-integer value: 1e999999999"),
        ("9" * 400, f"Int cannot represent non 32-bit signed integer value: {'9' * 400}"),
    ],
)
def test_a_written_count_that_is_no_int_is_refused_where_it_stands(salesbricks, sent, message):
    response = salesbricks.literal(sent)

    error = {"message": message, "locations": [{"line": 5, "column": 20}]}
    assert (response.status_code, response.json()) == (400, {"errors": [error]})
    assert quantities() == []


NO_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
NO_NUMBER = f"{NO_MOMENT} Numbers of seconds or milliseconds are not accepted."


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("yesterday", NO_MOMENT),
        ("", NO_MOMENT),
        ("2026-07-32", NO_MOMENT),
        (1784196930, NO_NUMBER),
        (Decimal("1.5"), NO_NUMBER),
        (True, NO_MOMENT),
        ({}, NO_MOMENT),
        ("9999-12-31T23:59:59Z", "Datetime is out of range."),
    ],
)
def test_a_timestamp_that_is_none_is_refused(salesbricks, sent, message):
    response = salesbricks.increment(timestamp=sent)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["message"].startswith("Variable '$timestamp' got invalid value ")
    assert error["message"].endswith(f"; Expected type 'DateTime'. {message}")
    assert quantities() == []


@pytest.mark.parametrize(
    ("sent", "at"),
    [("2026-07-16", "2026-07-16 00:00"), ("2026-07-16T10:15:30 +0200", "2026-07-16 08:15:30")],
)
def test_a_day_is_its_beginning_and_a_blank_may_stand_before_the_offset(salesbricks, sent, at):
    assert salesbricks.increment(timestamp=sent).status_code == 200

    assert UsageRecord.objects.get().occurred_at == make.moment(at)


@pytest.mark.parametrize("sent", ['"yesterday"', "7", "7.5", "true", "NOW", "[]", "{}", "9" * 5000, "1e99999"])
def test_a_written_timestamp_that_is_none_is_refused(salesbricks, sent):
    response = salesbricks.literal("7", timestamp=sent)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["message"].startswith("Expected value of type 'DateTime")
    assert error["locations"] == [{"line": 2, "column": 24}]
    assert quantities() == []


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-07-16T10:15:30+02:00", "2026-07-16 08:15:30"),
        ("2026-07-16 10:15", "2026-07-16 10:15"),
        ("2026-07-16t10:15:30.250z", "2026-07-16 10:15:30.250"),
    ],
)
def test_a_timestamp_has_its_offset_or_is_in_utc(salesbricks, sent, at):
    assert salesbricks.increment(timestamp=sent).json() == COUNTED
    assert UsageRecord.objects.get().occurred_at == make.moment(at)


@pytest.mark.parametrize("missing", ["timestamp", "subscriptionId", "brickId", "count"])
@pytest.mark.parametrize("null", [True, False])
def test_a_variable_that_is_missing_or_null_is_named(salesbricks, missing, null):
    variables = salesbricks.variables(count=7)
    kind = {"timestamp": "DateTime!", "count": "Int!"}.get(missing, "String!")
    if null:
        variables[missing] = None
        message = f"Variable '${missing}' of non-null type '{kind}' must not be null."
    else:
        del variables[missing]
        message = f"Variable '${missing}' of required type '{kind}' was not provided."

    response = salesbricks.ask(INCREMENT, variables=variables)

    assert response.status_code == 400
    assert [error["message"] for error in response.json()["errors"]] == [message]
    assert quantities() == []


@pytest.mark.parametrize("field", ["subscriptionId", "brickId"])
@pytest.mark.parametrize("sent", ["12345", "", "x" * 70_000, "ü\U0001f600%s\n", f"{uuid.UUID(int=1)}x"])
def test_an_id_that_is_no_uuid_is_named(salesbricks, field, sent):
    response = salesbricks.increment(**{field: sent})

    assert response.status_code == 200
    assert response.json() == refused("incrementCounter", "Must be a valid UUID.", field)
    assert quantities() == []


def test_a_negative_number_is_refused(salesbricks, line):
    gauge = make.line(line.workspace, aggregation="unit_days")
    message = "Ensure this value is greater than or equal to 0."

    assert salesbricks.increment(count=-1).json() == refused("incrementCounter", message, "count")
    assert Salesbricks(gauge).set(value=-1).json() == refused("setGauge", message, "value")
    assert quantities() == []


@pytest.mark.parametrize("field", ["subscriptionId", "brickId"])
def test_an_unknown_subscription_or_brick_is_refused(salesbricks, field):
    response = salesbricks.increment(**{field: str(uuid.uuid4())})

    message = "Unknown subscription or brick."
    assert (response.status_code, response.json()) == (200, refused("incrementCounter", message, "brickId"))


def test_another_workspaces_brick_is_as_absent_as_any(salesbricks):
    theirs = make.line(make.workspace("other"), aggregation="unit_days")
    sent = {"subscriptionId": str(theirs.subscription_id), "brickId": str(theirs.brick_id)}
    assert Salesbricks(theirs).set(value=1).json() == SET

    message = "Unknown subscription or brick."
    assert salesbricks.increment(**sent).json() == refused("incrementCounter", message, "brickId")
    assert salesbricks.set(**sent).json() == refused("setGauge", message, "brickId")
    assert quantities() == [1]


def test_a_brick_that_is_in_no_subscription_yet_is_refused_and_taken_once_it_is(salesbricks, line):
    brick = make.brick(line.workspace, "Storage")
    sent = {"brickId": str(brick.pk)}
    before = salesbricks.increment(**sent)

    later = make.line(line.workspace)
    later.brick = brick
    later.save()
    after = salesbricks.increment(**sent, subscriptionId=str(later.subscription_id))

    assert before.json()["errors"][0]["message"] == "Unknown subscription or brick."
    assert after.json() == COUNTED


def test_a_counter_is_not_set_and_a_gauge_not_incremented(salesbricks, line):
    gauge = make.line(line.workspace, aggregation="unit_days")

    assert salesbricks.set().json() == refused("setGauge", "This brick is for incrementCounter.", "brickId")
    assert Salesbricks(gauge).increment().json() == refused(
        "incrementCounter", "This brick is for setGauge.", "brickId"
    )
    assert quantities() == []


@pytest.mark.parametrize("counts_events", [False, True])
def test_a_brick_that_takes_no_entries_is_refused(counts_events):
    line = make.line(aggregation="none", model="flat")
    if counts_events:
        brick = make.event_brick(line.workspace)
        line = contracts.add_line(
            subscription=line.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR
        )
    salesbricks = Salesbricks(line)
    message = "This brick takes no usage entries."

    assert salesbricks.increment().json() == refused("incrementCounter", message, "brickId")
    assert salesbricks.set().json() == refused("setGauge", message, "brickId")


def test_usage_outside_the_subscription_is_refused():
    ended = make.line(make.workspace(), ends_on=date(2026, 7, 1))

    response = Salesbricks(ended).increment(timestamp="2026-07-01T00:00:00Z")

    message = "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-07-01T00:00:00+00:00."
    assert response.json() == refused("incrementCounter", message, "timestamp")


def test_several_mutations_are_recorded_in_their_order(salesbricks):
    response = salesbricks.ask(BOTH, variables=salesbricks.variables(first=1, second=2))

    assert (response.status_code, response.json()) == (
        200,
        {"data": {"first": {"success": True}, "second": {"success": True}}},
    )
    assert quantities() == [1, 2]


def test_with_one_mutation_refused_none_is_recorded(salesbricks):
    response = salesbricks.ask(BOTH, variables=salesbricks.variables(first=1, second=-2))

    (error,) = response.json()["errors"]
    assert (response.status_code, response.json()["data"]) == (200, None)
    assert (error["path"], error["locations"]) == (["second"], [{"line": 5, "column": 3}])
    assert quantities() == []


def test_with_one_mutation_refused_under_an_idempotency_key_none_is_recorded(line):
    salesbricks = Salesbricks(line, **{"x-salesbricks-idempotent-operation-key": "once"})
    variables = salesbricks.variables(first=1, second=-2)

    replies = [salesbricks.ask(BOTH, variables=variables).json() for _ in range(2)]

    assert replies[0] == replies[1]
    assert replies[0]["errors"][0]["path"] == ["second"]
    assert quantities() == []


def test_with_the_database_lost_between_two_mutations_none_is_recorded(salesbricks):
    inserts = []

    def fail_the_second(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            inserts.append(sql)
            if len(inserts) > 1:
                raise lost_connection()
        return execute(sql, *rest)

    with connection.execute_wrapper(fail_the_second):
        response = salesbricks.ask(BOTH, variables=salesbricks.variables(first=1, second=2))

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json() == {"errors": [{"message": "The database is unreachable. Try again in a moment."}]}
    assert quantities() == []


def test_a_request_is_repeated_safely_under_an_idempotency_key(line):
    salesbricks = Salesbricks(line, **{"x-salesbricks-idempotent-operation-key": "once"})

    first, again, other = salesbricks.increment(), salesbricks.increment(), salesbricks.increment(count=8)

    assert (first.json(), again.content) == (COUNTED, first.content)
    message = "This idempotency key was used for another request."
    assert (other.status_code, other.json()) == (400, {"errors": [{"message": message}]})
    assert quantities() == [7]


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({}, "query", "This field is required."),
        ({"query": None}, "query", "This field may not be null."),
        ({"query": 7}, "query", "Not a valid string."),
        ({"query": ["{ apiVersion }"]}, "query", "Not a valid string."),
        ({"query": "{ apiVersion }", "variables": []}, "variables", "A JSON object is required."),
        ({"query": "{ apiVersion }", "variables": "{}"}, "variables", "A JSON object is required."),
        ({"query": "{ apiVersion }", "operationName": 7}, "operationName", "Not a valid string."),
    ],
)
def test_a_member_of_the_request_that_is_wrong_is_named(salesbricks, members, field, message):
    response = salesbricks("POST", "usage", members)

    error = {"message": message, "extensions": {"code": "BAD_USER_INPUT", "field": field}}
    assert (response.status_code, response.json()) == (400, {"errors": [error]})


@pytest.mark.parametrize("query", ["{ apiVersion }", "query { apiVersion }", "query Version { apiVersion }"])
def test_the_version_can_be_asked_for(salesbricks, query):
    response = salesbricks.ask(query)

    assert (response.status_code, response.json()) == (200, {"data": {"apiVersion": "v1"}})


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(salesbricks, method):
    response = salesbricks(method, "usage?query={apiVersion}")

    error = {"message": f'Method "{method}" not allowed.'}
    assert (response.status_code, response.json()) == (405, {"errors": [error]})


def test_a_path_that_is_not_served_is_not_found(salesbricks):
    response = salesbricks("POST", "graphql", {"query": "{ apiVersion }"})

    assert (response.status_code, response.json()) == (404, {"errors": [{"message": "Not found."}]})


def test_a_key_of_the_twin_reports_to_the_twin(line):
    testing = make.line(line.workspace.twin)

    assert Salesbricks(testing).increment().json() == COUNTED
    assert "errors" in Salesbricks(line, key=make.api_key(line.workspace.twin)).increment().json()
    assert UsageRecord.objects.get().workspace == line.workspace.twin


def test_entries_are_not_known_to_the_later_version(line):
    key = make.api_key(line.workspace)
    Salesbricks(line, key=key).increment()
    later = ServiceClient("/salesbricks/api/v2/", {"x-salesbricks-key": key})

    assert later("DELETE", "usage", {"transaction_id": "None"}).status_code == 404
    assert quantities() == [7]
