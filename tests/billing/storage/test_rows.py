from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from billing.models import Customer, Line, Subscription
from billing.storage.rows import among, is_among, limited_table, one_of, parameter, read_moment, read_uuid, table
from tests import factories as make
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AWKWARD = ["\t", "\\", "a\nb\r\nc", "'", '"', "ä€😀", "null", " ", "%s", "{}", "$.a", "1e3", "007", ""]


def as_table(columns, rows, name="given"):
    return table(name, columns), [parameter(rows)]


def select(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def test_rows_are_read_as_a_table_in_their_order():
    given, parameters = as_table({"n": "int", "text": "text"}, ({"n": n, "text": text} for n, text in enumerate("cab")))

    assert len(parameters) == 1
    assert select(f"SELECT n, text FROM {given}", parameters) == [(0, "c"), (1, "a"), (2, "b")]


def test_no_rows_are_an_empty_table():
    given, parameters = as_table({"n": "int"}, [])

    assert select(f"SELECT n FROM {given}", parameters) == []


def test_a_missing_value_is_null():
    given, parameters = as_table({"n": "int", "text": "text"}, [{"n": None, "text": "a"}, {"n": 1}])

    assert select(f"SELECT n, text FROM {given}", parameters) == [(None, "a"), (1, None)]


def test_texts_are_kept_to_the_letter():
    given, parameters = as_table({"text": "text"}, ({"text": text} for text in AWKWARD))

    assert [text for (text,) in select(f"SELECT text FROM {given}", parameters)] == AWKWARD


def test_whole_numbers_and_truth_values_are_kept():
    given, parameters = as_table({"n": "bigint", "is_late": "boolean"}, [{"n": 2**63 - 1, "is_late": True}, {"n": -1}])

    assert select(f"SELECT n, is_late FROM {given}", parameters) == [(2**63 - 1, True), (-1, None)]


def test_a_table_has_the_name_that_it_is_given():
    first, parameters = as_table({"n": "int"}, [{"n": 1}, {"n": 2}], name="wanted")
    second, others = as_table({"n": "int"}, [{"n": 2}, {"n": 3}], name="known")

    found = select(f"SELECT wanted.n FROM {first} JOIN {second} ON known.n = wanted.n", [*parameters, *others])

    assert found == [(2,)]


def test_ids_and_moments_are_compared_with_those_of_a_table():
    owner = make.workspace()
    own, other = (make.line(owner).subscription for _ in range(2))
    elsewhere = timezone(timedelta(hours=5, minutes=45))
    columns = {"id": "uuid", "starts_at": "timestamptz"}
    given, parameters = as_table(
        columns,
        [
            {"id": own.pk, "starts_at": own.starts_at.astimezone(elsewhere)},
            {"id": other.pk, "starts_at": other.starts_at + timedelta(microseconds=1)},
        ],
    )

    (found,) = select(
        f"SELECT s.reference, s.id FROM {given} JOIN billing_subscription s"
        " ON s.id = given.id AND s.starts_at = given.starts_at",
        parameters,
    )

    assert read_uuid(found[1]) == own.pk


def test_moments_are_written_to_the_microsecond():
    subscription = make.line().subscription
    moment = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)
    given, parameters = as_table(
        {"id": "uuid", "moment": "timestamptz"}, [{"id": subscription.pk, "moment": moment}, {"id": uuid4()}]
    )

    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE billing_subscription SET next_close_at = given.moment FROM {given}"
            " WHERE billing_subscription.id = given.id AND billing_subscription.workspace_id = %s",
            [*parameters, subscription.workspace_id],
        )

    assert Subscription.objects.get(pk=subscription.pk).next_close_at == moment


def test_decimals_are_exact():
    line = make.line()
    make.use(line, "1", "2026-01-05")
    quantity = Decimal("-999999999999999.000000001")
    given, parameters = as_table(
        {"line_id": "bigint", "quantity": "numeric"}, [{"line_id": line.pk, "quantity": quantity}]
    )

    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE usage_usagerecord SET quantity = given.quantity FROM {given}"
            " WHERE usage_usagerecord.line_id = given.line_id AND usage_usagerecord.workspace_id = %s",
            [*parameters, line.workspace_id],
        )

    assert UsageRecord.objects.get().quantity == quantity


def test_the_item_of_a_statement_is_written_once_for_any_rows():
    statement = f"SELECT text FROM {table('given', {'text': 'text'})}"

    assert select(statement, [parameter([{"text": "a"}])]) == [("a",)]
    assert select(statement, [parameter({"text": text} for text in "bc")]) == [("b",), ("c",)]


@pytest.mark.parametrize("count", [0, 1, 150])
def test_a_limited_table_has_all_of_its_rows(count):
    given = limited_table("given", {"n": "int", "text": "text"})

    found = select(f"SELECT n, text FROM {given}", [parameter({"n": n, "text": "a"} for n in range(count)), count])

    assert found == [(n, "a") for n in range(count)]


def test_a_column_is_one_of_the_values_of_a_query():
    owner = make.workspace()
    first, second, _ = (make.line(owner) for _ in range(3))
    wanted = f"SELECT id FROM {table('given', {'id': 'bigint'})}"

    found = select(
        f"SELECT id FROM billing_line WHERE {one_of('id', wanted)} ORDER BY id",
        [parameter({"id": line.pk} for line in (second, first))],
    )

    assert found == [(first.pk,), (second.pk,)]


@pytest.mark.parametrize("field", ["id", "number"])
def test_a_condition_takes_ids(field):
    owner = make.workspace()
    line, _ = make.line(owner), make.line(owner)
    condition, parameters = among([getattr(line, field), 999_999_999])

    assert len(parameters) == 1
    assert (line.pk,) in select(f"SELECT id FROM billing_line WHERE {field} {condition}", parameters)


def test_a_condition_takes_texts():
    customer = make.customer(make.workspace(), reference="it's")
    condition, parameters = among(["it's", "other"])

    assert len(select(f"SELECT id FROM billing_customer WHERE reference {condition}", parameters)) == 1
    assert customer.reference == "it's"


def test_nothing_is_among_no_ids():
    make.line()

    assert not Line.objects.filter(is_among("billing_line.id", [])).exists()
    assert not Customer.objects.filter(is_among("billing_customer.id", [])).exists()


def test_rows_are_found_among_more_ids_than_a_statement_has_parameters():
    line = make.line()
    customer_ids = [uuid4() for _ in range(300_000)]

    lines = Line.objects.filter(is_among("billing_line.id", [*range(300_000), line.pk]))
    customers = Customer.objects.filter(is_among("billing_customer.id", [*customer_ids, line.subscription.customer_id]))

    assert lines.get() == line
    assert customers.get().pk == line.subscription.customer_id


def test_what_a_statement_returns_is_read_alike_on_both_databases():
    line = make.line()

    ((subscription_id, starts_at, ends_at),) = select(
        "SELECT subscription_id, starts_at, ends_at FROM billing_line", []
    )

    assert (read_uuid(subscription_id), read_moment(starts_at)) == (line.subscription_id, line.starts_at)
    assert (read_uuid(None), read_moment(ends_at)) == (None, None)
