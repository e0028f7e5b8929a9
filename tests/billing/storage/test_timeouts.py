"""The time that a statement may take: for a transaction, and as the database's own limit."""

import pytest
from django.db import connection, transaction

from billing.storage import timeouts


def limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


@pytest.fixture
def usual() -> str:
    """Return the limit that the connection has outside of what raises it."""
    return limit()


@pytest.mark.django_db(transaction=True)
def test_a_limit_is_raised_for_a_transaction_alone():
    with pytest.raises(RuntimeError, match="only within a transaction"):
        timeouts.allow(30)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("seconds", "shown"), [(30, "30s"), (3600, "1h"), (0, "0")])
def test_each_statement_of_a_transaction_may_take_so_long(usual, seconds, shown):
    with transaction.atomic():
        timeouts.allow(seconds)
        assert limit() == shown

    assert limit() == usual


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_what_reads_has_a_transaction_of_its_own(usual):
    with timeouts.reading(45):
        assert connection.in_atomic_block
        assert limit() == "45s"

    assert (connection.in_atomic_block, limit()) == (False, usual)


@pytest.mark.django_db
def test_reading_works_on_every_database():
    with timeouts.reading(45), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (5_000, None),
        (None, None),
        (0, "The database's statement timeout is unlimited, not 5 s as set."),
        (2_500, "The database's statement timeout is 2.5 s, not 5 s as set."),
    ],
)
def test_a_limit_that_differs_from_the_setting_is_told(settings, monkeypatch, found, told):
    settings.REQUEST_STATEMENT_SECONDS = 5
    monkeypatch.setattr(timeouts, "role_default", lambda alias: found)

    warnings = timeouts.check_role_default(databases=["default"])

    assert [(warning.id, warning.msg) for warning in warnings] == ([("billing.W001", told)] if told else [])


def test_a_check_without_a_database_asks_none(monkeypatch):
    monkeypatch.setattr(timeouts, "role_default", lambda alias: pytest.fail("asked"))

    assert timeouts.check_role_default(databases=None) == timeouts.check_role_default(databases=["other"]) == []
