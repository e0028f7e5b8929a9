"""Failures of ours: no request is said to be accepted that was not. And the statements that a request takes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from psycopg import errors

from billing.keys import forget_trusted
from billing.storage.jsontext import encode
from tests.failures import lost_connection, raised
from tests.usage.dialects.shared.assertions import asked, assert_refused, nothing_changed
from tests.usage.dialects.vendors import each_vendor

pytestmark = pytest.mark.django_db

OUT_OF_REACH = "The database is unreachable. Try again in a moment."


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail


@each_vendor
def test_with_the_database_down_nothing_is_said_to_be_accepted(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.paths:
            for down in (OperationalError, InterfaceError):
                with connection.execute_wrapper(failing(lost_connection(down))):
                    response = vendor.ask(endpoint, world)

                assert_refused(response, vendor, 503, OUT_OF_REACH)
                assert response.headers["Retry-After"] == "5"


@each_vendor
def test_with_a_database_that_only_reads_each_request_is_told_to_wait(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.endpoints:
            with connection.execute_wrapper(failing(raised(errors.ReadOnlySqlTransaction("...")))):
                response = vendor.ask(endpoint, world)

            assert_refused(
                response, vendor, 503, "The database accepts no changes at the moment. Try again in a moment."
            )
            assert response.headers["Retry-After"] == "5"


@each_vendor
@pytest.mark.parametrize(
    ("refusal", "retry_after", "message"),
    [
        (errors.DeadlockDetected, "5", "The database is busy with the same rows. Try again in a moment."),
        (errors.DiskFull, "60", "The database's disk is full. Try again later."),
    ],
)
def test_a_passing_refusal_is_told_truly_and_when_to_try_again(vendor, refusal, retry_after, message, line, key):
    with nothing_changed(), connection.execute_wrapper(failing(raised(refusal("...")))):
        response = vendor.send(key, encode(vendor.report(line)))

    assert_refused(response, vendor, 503, message)
    assert response.headers["Retry-After"] == retry_after


@each_vendor
def test_what_the_database_can_not_do_at_all_is_no_outage(vendor, line, key):
    with nothing_changed(), connection.execute_wrapper(failing(raised(errors.StatementTooComplex("too deep")))):
        response = vendor.send(key, encode(vendor.report(line)))

    assert_refused(response, vendor, 500, "A server error occurred.")
    assert "Retry-After" not in response.headers


@each_vendor
def test_with_the_database_down_at_the_insert_nothing_is_said_to_be_accepted(vendor, line, key):
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            raise lost_connection()
        return execute(sql, *rest)

    with nothing_changed(), connection.execute_wrapper(fail):
        response = vendor.send(key, encode(vendor.report(line)))

    assert_refused(response, vendor, 503, OUT_OF_REACH)


@each_vendor
def test_what_nobody_expected_is_logged_and_answered_in_the_vendors_shape(vendor, caplog):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.paths:
            caplog.clear()
            with connection.execute_wrapper(failing(RuntimeError("a fault"))):
                response = vendor.ask(endpoint, world)

            assert_refused(response, vendor, 500, "A server error occurred.")
            logged = [entry for entry in caplog.records if entry.name == "usage.dialects.shared.errors"]
            assert [str(entry.exc_info[1]) for entry in logged] == ["a fault"], asked(response)


@each_vendor
def test_a_request_takes_one_query_for_the_key_and_as_few_as_can_be_for_the_rest(
    vendor, line, key, django_assert_num_queries
):
    vendor.send(key, "{}")
    forget_trusted()

    with django_assert_num_queries(len(vendor.statements)) as queries:
        response = vendor.send(key, encode(vendor.report(line)))

    assert response.status_code == vendor.accepted
    assert tuple(query["sql"].split()[0] for query in queries) == vendor.statements


@each_vendor
def test_a_key_that_was_looked_up_this_second_is_not_asked_for_again(vendor, line, key, django_assert_num_queries):
    vendor.send(key, "{}")

    with django_assert_num_queries(len(vendor.statements) - 1):
        response = vendor.send(key, encode(vendor.report(line)))

    assert response.status_code == vendor.accepted
