"""Connections and cursors of the backend."""

import select
from types import TracebackType
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.backends.postgresql.features import DatabaseFeatures
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import IsolationLevel
from psycopg.errors import _WaitTimeout as WaitTimeout

from billing.storage.outages import Outage, outage_of
from billing.storage.postgresql.schema import SchemaEditor

# Wait for a reply this much longer than the statement timeout: the server would have given up by then.
GRACE_SECONDS = 5
# The protocol has two bytes for the number of a statement's parameters.
MOST_PARAMETERS = 65_535
# Parameters that the server reports for a session if the server or the session is read-only.
READ_ONLY_PARAMETERS = (b"in_hot_standby", b"default_transaction_read_only")


class Connection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not answer in time.

    The kernel of a hanging server still acknowledges data, and the server's own timeouts don't run, so only the client
    can end the wait. The statement may have been executed nevertheless.
    """

    patience: float | None = None

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        if options.get("timeout") is not None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(gen, *args, **options | {"timeout": self.patience})
        except WaitTimeout:
            self.pgconn.finish()
            silence: Any = psycopg.OperationalError(f"the server has not answered for {self.patience:g} s")
            silence.lost_connection = Outage.NO_ANSWER
            raise silence from None

    def stands(self) -> bool:
        """Tell, without a round trip, whether an idle connection is still open and accepts changes."""
        try:
            poll = select.poll()
            poll.register(self.pgconn.socket, select.POLLIN)
            # Pending data is a notice, a changed parameter, or the end of the connection.
            while poll.poll(0):
                self.pgconn.consume_input()
        except psycopg.OperationalError:
            return False
        return not any(self.pgconn.parameter_status(name) == b"on" for name in READ_ONLY_PARAMETERS)


class Cursor(base.ServerBindingCursor):
    """A cursor that interpolates parameters into the statement if they are more than the protocol allows.

    Django's prefetches and deletions have a parameter for each row.
    """

    # Of the driver's cursor, missing in the stubs.
    connection: Any

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if params is not None and len(params) > MOST_PARAMETERS:
            query, params = psycopg.ClientCursor(self.connection).mogrify(query, params), None
        return super().execute(query, params, **options)  # type: ignore[misc]


class ErrorWrapper(DatabaseErrorWrapper):
    """Wrapper that raises Django's exceptions from the driver's, and notes on each whether the connection was lost."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error):
            self.wrapper.note(error)
        super().__exit__(kind, error, traceback)


class Features(DatabaseFeatures):
    # With a primary key of two columns, grouping by one of them does not determine other columns.
    allows_group_by_selected_pks = False


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose statements have a time limit, and which is closed once it is found unusable."""

    SchemaEditorClass = SchemaEditor
    features_class = Features
    is_unfit = False
    # Django's own, missing in the stubs.
    health_check_enabled: bool
    health_check_done: bool

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params["cursor_factory"] is base.ServerBindingCursor:
            params["cursor_factory"] = Cursor
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = IsolationLevel.READ_COMMITTED
        connection = Connection.connect(**conn_params)
        connection.patience = self._patience(None)
        return connection

    def connect(self) -> None:
        super().connect()
        self.is_unfit = False

    def limit_statements(self, seconds: int | None, *, for_session: bool = False) -> None:
        """Limit statements to this many seconds until the transaction ends, or for the session; 0: no limit.

        None restores the default. Behind a pooler the server's session may serve another client after each transaction,
        so only migrations set the limit for the session.
        """
        limit = "DEFAULT" if seconds is None else f"'{seconds}s'"
        with self.cursor() as cursor:
            cursor.execute(f"SET {'SESSION' if for_session else 'LOCAL'} statement_timeout = {limit}")
        self.connection.patience = self._patience(seconds)

    def _patience(self, seconds: int | None) -> float | None:
        if seconds is None:
            # Tests create databases on this alias, without a limit.
            seconds = 0 if self.alias == NO_DB_ALIAS else settings.REQUEST_STATEMENT_SECONDS
        return seconds + GRACE_SECONDS if seconds else None

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs leave it out
        if autocommit:
            # The transaction is over, and so is its limit.
            self.connection.patience = self._patience(None)

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def note(self, error: Any) -> None:
        """Note on an error whether the connection was lost, and on the connection whether it can still be used.

        When the error is handled, Django may have reconnected already.
        """
        is_lost = self.connection is None or self.connection.closed
        if is_lost and error.sqlstate is None and not hasattr(error, "lost_connection"):
            error.lost_connection = Outage.OUT_OF_REACH
        outage = outage_of(error)
        self.is_unfit = self.is_unfit or (outage is not None and outage.spoils_connection)

    def close_if_health_check_failed(self) -> None:
        """Close a lost persistent connection at its first use in a request or task; needs no round trip."""
        if self.connection is not None and self.health_check_enabled and not self.health_check_done:
            if not self.connection.stands():
                self.close()
            self.health_check_done = True

    def close_if_unusable_or_obsolete(self) -> None:
        if self.is_unfit and self.connection is not None:
            self.close()
        super().close_if_unusable_or_obsolete()
