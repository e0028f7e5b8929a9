"""Outages are told from other errors by exceptions that the databases themselves raise."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import Error, connection, transaction
from psycopg import errors

from billing.storage.outages import Outage, outage_of
from tests.failures import raised

PASSING = {
    Outage.OUT_OF_REACH,
    Outage.NO_ANSWER,
    Outage.READ_ONLY,
    Outage.CHANGED,
    Outage.BUSY,
    Outage.FULL,
    Outage.DISK,
}


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (errors.ConnectionFailure, Outage.OUT_OF_REACH),
        (errors.AdminShutdown, Outage.OUT_OF_REACH),
        (errors.CrashShutdown, Outage.OUT_OF_REACH),
        (errors.CannotConnectNow, Outage.OUT_OF_REACH),
        (errors.IdleInTransactionSessionTimeout, Outage.OUT_OF_REACH),
        (errors.TooManyConnections, Outage.OUT_OF_REACH),
        (errors.ReadOnlySqlTransaction, Outage.READ_ONLY),
        (errors.SerializationFailure, Outage.BUSY),
        (errors.DeadlockDetected, Outage.BUSY),
        (errors.LockNotAvailable, Outage.BUSY),
        (errors.DiskFull, Outage.FULL),
        (errors.OutOfMemory, Outage.TOO_MUCH),
        (errors.ConfigurationLimitExceeded, Outage.TOO_MUCH),
        (errors.QueryCanceled, Outage.TOO_LONG),
        (errors.FeatureNotSupported, None),
        (errors.StatementTooComplex, None),
        (errors.UniqueViolation, None),
        (errors.UndefinedTable, None),
        (psycopg.OperationalError, None),
        (ValueError, None),
    ],
)
def test_an_outage_is_told_by_the_sqlstate(error, outage):
    assert outage_of(error("...")) is outage
    assert outage_of(raised(error("..."))) is outage


def test_only_what_took_too_long_or_too_much_may_have_itself_to_blame():
    assert {outage for outage in Outage if outage.is_passing} == PASSING


def failure(do: Callable[[], Any]) -> Error:
    with pytest.raises(Error) as raised_:
        do()
    return raised_.value


def execute(sql: str, parameters: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def send(sql: str, parameters: Any) -> None:
    """Execute a statement as it stands: our cursor would write very many parameters into it."""
    if connection.vendor != "postgresql":
        execute(sql, parameters)
        return
    connection.ensure_connection()
    with connection.wrap_database_errors:
        psycopg.Cursor(connection.connection).execute(sql, parameters)


TOO_MANY = "SELECT 1 WHERE 1 IN ({})".format(", ".join(["%s"] * 300_000))
TOO_DEEP = "SELECT {}".format(" + ".join(["%s"] * 200_000))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("sql", "count"), [(TOO_MANY, 300_000), (TOO_DEEP, 200_000)], ids=["many", "deep"])
def test_a_statement_that_is_too_large_is_no_outage(sql, count):
    assert outage_of(failure(lambda: send(sql, [1] * count))) is None
    assert execute("SELECT 1") == [(1,)]


@pytest.fixture
def other():
    """Give another connection to the same database."""
    another = connection.copy("other")
    yield another
    another.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestPostgreSQL:
    def test_a_connection_that_was_ended(self):
        ((pid,),) = execute("SELECT pg_backend_pid()")
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as another:
            another.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        assert outage_of(failure(lambda: execute("SELECT 1"))) is Outage.OUT_OF_REACH
        assert outage_of(failure(lambda: execute("SELECT 1"))) is Outage.OUT_OF_REACH

        connection.close_if_unusable_or_obsolete()
        assert execute("SELECT 1") == [(1,)]

    def test_an_outage_stays_one_when_the_connection_is_made_anew(self):
        ((pid,),) = execute("SELECT pg_backend_pid()")

        def cut_in_a_transaction():
            with transaction.atomic():
                connection.connection.pgconn.finish()
                execute("SELECT 1")

        error = failure(cut_in_a_transaction)

        assert execute("SELECT pg_backend_pid()") != [(pid,)]
        assert outage_of(error) is Outage.OUT_OF_REACH

    def test_a_server_that_refuses_connections(self, other):
        other.settings_dict = {**other.settings_dict, "HOST": "127.0.0.1", "PORT": "1"}

        assert outage_of(failure(other.ensure_connection)) is Outage.OUT_OF_REACH

    def test_a_session_that_only_reads_is_given_up(self):
        execute("SET default_transaction_read_only = on")

        assert outage_of(failure(lambda: execute("CREATE TABLE outage (id int)"))) is Outage.READ_ONLY

        connection.close_if_unusable_or_obsolete()
        assert execute("SHOW default_transaction_read_only") == [("off",)]

    def test_a_plan_that_a_migration_has_made_stale(self, other):
        with other.cursor() as cursor:
            cursor.execute("CREATE TABLE outage (id int)")
            # Often enough that the driver prepares it.
            for _ in range(7):
                execute("SELECT * FROM outage")
            cursor.execute("ALTER TABLE outage ADD COLUMN name text")
            error = failure(lambda: execute("SELECT * FROM outage"))
            cursor.execute("DROP TABLE outage")

        assert outage_of(error) is Outage.CHANGED

    def test_a_lock_that_another_holds(self, other):
        with transaction.atomic(), other.cursor() as cursor:
            execute("SELECT pg_advisory_xact_lock(1)")
            cursor.execute("SET lock_timeout = '10ms'")
            error = failure(lambda: cursor.execute("SELECT pg_advisory_xact_lock(1)"))

        assert outage_of(error) is Outage.BUSY

    def test_a_statement_that_took_too_long(self):
        def sleep():
            with transaction.atomic():
                execute("SET LOCAL statement_timeout = '10ms'")
                execute("SELECT pg_sleep(5)")

        assert outage_of(failure(sleep)) is Outage.TOO_LONG


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "outage.sqlite3"
    with sqlite3.connect(path) as connected:
        connected.execute("CREATE TABLE outage (text)")
    connections = []

    def connect(mode: str = "rw") -> sqlite3.Connection:
        connections.append(sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=0, isolation_level=None))
        return connections[-1]

    yield connect
    for connected in connections:
        connected.close()


def sqlite_outage(connected: sqlite3.Connection, sql: str) -> Outage | None:
    with pytest.raises(sqlite3.Error) as raised_:
        connected.execute(sql)
    return outage_of(raised(raised_.value))


class TestSQLite:
    def test_a_database_that_another_writes_to(self, sqlite):
        sqlite().execute("BEGIN IMMEDIATE")

        assert sqlite_outage(sqlite(), "BEGIN IMMEDIATE") is Outage.BUSY

    def test_a_full_disk(self, sqlite):
        connected = sqlite()
        connected.execute("PRAGMA max_page_count = 2")

        assert sqlite_outage(connected, "INSERT INTO outage VALUES (zeroblob(100000))") is Outage.FULL

    def test_a_file_that_may_not_be_written(self, sqlite):
        assert sqlite_outage(sqlite("ro"), "INSERT INTO outage VALUES (1)") is Outage.READ_ONLY

    def test_a_file_that_is_gone(self, tmp_path):
        with pytest.raises(sqlite3.OperationalError) as raised_:
            sqlite3.connect(tmp_path / "nowhere" / "outage.sqlite3")

        assert outage_of(raised_.value) is Outage.OUT_OF_REACH

    def test_what_is_not_there_is_no_outage(self, sqlite):
        assert sqlite_outage(sqlite(), "SELECT * FROM nothing") is None


@pytest.mark.parametrize(
    ("name", "outage", "seconds"),
    [
        ("SQLITE_FULL", Outage.FULL, 60),
        ("SQLITE_IOERR_SHMSIZE", Outage.FULL, 60),
        ("SQLITE_IOERR", Outage.DISK, 60),
        ("SQLITE_IOERR_WRITE", Outage.DISK, 60),  # beyond a quota, SQLite says this
        ("SQLITE_IOERR_FSYNC", Outage.DISK, 60),
        ("SQLITE_CANTOPEN", Outage.OUT_OF_REACH, 5),
    ],
)
def test_what_sqlite_says_of_its_disk_is_told_in_true_words(name, outage, seconds):
    error = sqlite3.OperationalError("...")
    error.sqlite_errorcode = getattr(sqlite3, name)

    found = outage_of(raised(error))

    assert (found, found.retry_after) == (outage, seconds)
