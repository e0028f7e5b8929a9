"""The connection under all of it, through a relay between us and PostgreSQL that can hang, or cut all it holds."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.test import Client

from billing.keys import forget_trusted
from billing.models import Line
from billing.storage import timeouts
from billing.storage.jsontext import encode
from billing.storage.outages import Outage, outage_of
from billing.storage.postgresql import base
from billing.storage.postgresql.schema import SchemaEditor
from tests import factories as make
from tests.usage.dialects.vendors import each_vendor
from usage.models import UsageRecord

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


class Relay:
    """Hands bytes to and fro between whoever connects and the server."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: dict[socket.socket, socket.socket] = {}
        self.accepted = 0
        self.hangs = False
        self.stopped = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self.stopped:
            readable, _, _ = select.select([self._listener, *self._ends], [], [], 0.02)
            for end in readable:
                if end is self._listener:
                    self._accept()
                elif not self.hangs and end in self._ends:
                    self._pass_on(end)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._ends |= {client: server, server: client}
        self.accepted += 1

    def _pass_on(self, end: socket.socket) -> None:
        try:
            data = end.recv(65536)
            if data:
                self._ends[end].sendall(data)
        except OSError:
            # One side has gone: the other learns so, and the relay goes on.
            data = b""
        if not data:
            self._close(end)

    def _close(self, end: socket.socket) -> None:
        other = self._ends.pop(end)
        del self._ends[other]
        end.close()
        other.close()

    def cut(self) -> None:
        """Close all that is open, as a server does that goes away; it takes connections again at once."""
        for end in list(self._ends):
            if end in self._ends:
                end.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 5
        while self._ends and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        self.stopped = True
        self._thread.join()
        for end in [self._listener, *self._ends]:
            end.close()


@pytest.fixture
def relay(settings) -> Iterator[Relay]:
    settings.REQUEST_STATEMENT_SECONDS = 1
    direct = dict(connection.settings_dict)
    between = Relay((direct["HOST"], int(direct["PORT"] or 5432)))
    connection.close()
    connection.settings_dict.update(HOST="127.0.0.1", PORT=str(between.port))
    try:
        yield between
    finally:
        # Whatever happens, the tests after this one reach the server itself.
        connection.settings_dict.update(direct)
        between.hangs = False
        try:
            connection.close()
        finally:
            between.stop()


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(base, "GRACE_SECONDS", 0.2)


def execute(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def begin() -> None:
    """Do what Django does at the beginning of a request."""
    connection.close_if_unusable_or_obsolete()


def read() -> Any:
    return execute("SELECT 1")


def write() -> Any:
    return execute("WITH noted AS (INSERT INTO usage_scheduleturn VALUES ('t', now()) RETURNING 1) SELECT * FROM noted")


def in_a_transaction() -> Any:
    with transaction.atomic():
        return write()


@pytest.mark.parametrize("do", [read, write, in_a_transaction])
def test_a_connection_that_was_cut_is_made_anew_at_its_first_use(relay, do):
    execute("SELECT 1")
    relay.cut()

    begin()

    assert do() == (1,)
    assert relay.accepted == 2


def test_a_connection_that_stands_is_kept_and_asked_nothing(relay, django_assert_num_queries):
    ((pid),) = execute("SELECT pg_backend_pid()")

    begin()
    with django_assert_num_queries(1):
        assert execute("SELECT pg_backend_pid()") == (pid,)

    assert relay.accepted == 1


def test_a_session_that_began_read_only_is_given_up_at_its_next_use(relay):
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    try:
        connection.close()
        assert execute("SHOW transaction_read_only") == ("on",)
    finally:
        with transaction.atomic():
            execute("SET TRANSACTION READ WRITE")
            execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")

    begin()

    assert execute("SHOW transaction_read_only") == ("off",)


def test_a_server_that_does_not_answer_is_given_up(relay, short_grace):
    execute("SELECT 1")
    relay.hangs = True

    began = time.monotonic()
    with pytest.raises(Error) as silence:
        execute("SELECT 1")

    assert outage_of(silence.value) is Outage.NO_ANSWER
    assert 1.1 < time.monotonic() - began < 3
    assert str(silence.value) == "the server has not answered for 1.2 s"
    relay.hangs = False
    begin()
    assert execute("SELECT 1") == (1,)


def test_a_transaction_may_be_given_longer_and_the_next_is_not(relay, short_grace):
    with transaction.atomic():
        execute("SET LOCAL statement_timeout = '1s'")
        timeouts.allow(3)
        assert execute("SHOW statement_timeout") == ("3s",)
        execute("SELECT pg_sleep(1.5)")

    assert execute("SHOW statement_timeout") == ("0",)
    with pytest.raises(Error) as silence:
        execute("SELECT pg_sleep(1.5)")
    assert outage_of(silence.value) is Outage.NO_ANSWER


def test_reading_may_be_given_longer(relay, short_grace):
    with timeouts.reading(3):
        execute("SELECT pg_sleep(1.5)")


def test_a_limit_is_raised_within_a_transaction_only():
    with pytest.raises(RuntimeError, match="only within a transaction"):
        timeouts.allow(3)


@pytest.mark.parametrize("atomic", [True, False])
def test_a_migration_takes_as_long_as_it_takes(relay, short_grace, atomic):
    with SchemaEditor(connection, atomic=atomic) as editor:
        assert execute("SHOW statement_timeout") == ("0",)
        editor.execute("SELECT pg_sleep(1.5)")

    with pytest.raises(Error):
        execute("SELECT pg_sleep(1.5)")


@pytest.fixture
def role_default():
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, database = map(connection.ops.quote_name, cursor.fetchone())
        cursor.execute(f"ALTER ROLE {role} IN DATABASE {database} RESET statement_timeout")
    connection.close()


@pytest.mark.bound("REQUEST_STATEMENT_SECONDS")
def test_the_role_is_given_the_limit_of_a_request(role_default, settings, capsys):
    settings.REQUEST_STATEMENT_SECONDS = 7
    told = timeouts.check_role_default(databases=["default"])
    assert [str(warning.msg) for warning in told] == ["The database's statement timeout is unlimited, not 7 s as set."]

    call_command("limit_statements")
    connection.close()

    assert execute("SHOW statement_timeout") == ("7s",)
    assert timeouts.check_role_default(databases=["default"]) == []
    with transaction.atomic():
        timeouts.allow(60)
        assert execute("SHOW statement_timeout") == ("1min",)
    assert execute("SHOW statement_timeout") == ("7s",)
    assert "statement_timeout = '7s'" in capsys.readouterr().out
    settings.REQUEST_STATEMENT_SECONDS = 8
    (warning,) = timeouts.check_role_default(databases=["default"])
    assert warning.msg == "The database's statement timeout is 7 s, not 8 s as set."
    assert timeouts.check_role_default(databases=None) == []


@pytest.mark.parametrize("among", ["numbers", "ids", "texts"])
def test_a_statement_may_have_more_parameters_than_the_protocol_counts(among):
    line = make.line(reference="it's 100 %s\\ 'a")
    many: dict[str, Any] = {
        "numbers": {"number__in": [*range(10**6, 10**6 + 70_000), line.number]},
        "ids": {"subscription__in": [*(uuid4() for _ in range(70_000)), line.subscription_id]},
        "texts": {"subscription__reference__in": [*map(str, range(70_000)), "it's 100 %s\\ 'a"]},
    }

    assert Line.objects.get(**many[among]) == line


def request_of(vendor: Any, line: Any, key: str) -> Any:
    begin()
    return vendor.send(key, encode(vendor.report(line)))


@each_vendor
def test_after_connections_were_cut_no_request_fails(vendor, relay):
    line = make.line(make.workspace("acme"))
    key = make.api_key(line.workspace)
    assert request_of(vendor, line, key).status_code == vendor.accepted

    for keys_are_trusted in (True, False):
        relay.cut()
        if not keys_are_trusted:
            forget_trusted()
        assert request_of(vendor, line, key).status_code in (vendor.accepted, 400, 409)

    assert UsageRecord.objects.exists()


@pytest.mark.bound("REQUEST_STATEMENT_SECONDS")
@each_vendor
def test_a_database_that_hangs_is_a_503_and_all_is_well_at_the_next_request(vendor, relay, short_grace):
    line = make.line(make.workspace("acme"))
    key = make.api_key(line.workspace)
    forget_trusted()
    execute("SELECT 1")
    relay.hangs = True

    response = request_of(vendor, line, key)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json() == vendor.error(503, "The database does not answer. Try again in a moment.", None)
    relay.hangs = False
    assert request_of(vendor, line, key).status_code == vendor.accepted


def test_a_page_of_the_panel_is_a_503_too(relay, short_grace):
    execute("SELECT 1")
    relay.hangs = True
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a" * 32

    page = browser.get("/admin/")

    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer. Try again in a moment." in page.content.decode()
    relay.hangs = False
    begin()
    assert browser.get("/admin/").status_code == 302
