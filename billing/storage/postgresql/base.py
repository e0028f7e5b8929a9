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

# By how much longer than the server may take over a statement its reply is waited for: it would have given up by then.
GRACE_SECONDS = 5
# The protocol counts a statement's parameters in two bytes.
MOST_PARAMETERS = 65_535
# What the server tells of a session by itself, where it or the session takes no changes.
READ_ONLY_PARAMETERS = (b"in_hot_standby", b"default_transaction_read_only")


class Connection(psycopg.Connection[Any]):
    """A connection that is closed where the server does not answer in time.

    The kernel of a server that hangs still acknowledges what it is sent, and the server's own time-outs don't run; so
    only we can end the wait. What was asked may have been done all the same.
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
        """Tell, without asking the server, whether an idle connection is still there and takes changes."""
        try:
            poll = select.poll()
            poll.register(self.pgconn.socket, select.POLLIN)
            # What has come meanwhile is a notice, a changed parameter, or the end.
            while poll.poll(0):
                self.pgconn.consume_input()
        except psycopg.OperationalError:
            return False
        return not any(self.pgconn.parameter_status(name) == b"on" for name in READ_ONLY_PARAMETERS)


class Cursor(base.ServerBindingCursor):
    """A cursor that also takes more parameters than the protocol counts: these are written into the statement.

    Django lists the rows that a query prefetches for, or that a deletion looks around, with a parameter for each.
    """

    # Of the driver's cursor, which the stubs leave out.
    connection: Any

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if params is not None and len(params) > MOST_PARAMETERS:
            query, params = psycopg.ClientCursor(self.connection).mogrify(query, params), None
        return super().execute(query, params, **options)  # type: ignore[misc]


class ErrorWrapper(DatabaseErrorWrapper):
    """Raises Django's exceptions from the driver's, and notes of each what only this moment knows."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error):
            self.wrapper.note(error)
        super().__exit__(kind, error, traceback)


class Features(DatabaseFeatures):
    # A primary key of two columns says nothing of a group by one of them.
    allows_group_by_selected_pks = False


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose statements have a limit, and that is given up as soon as it is found unfit."""

    SchemaEditorClass = SchemaEditor
    features_class = Features
    is_unfit = False
    # Django's own, which the stubs leave out.
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
        """Give each statement so long until the transaction ends, or for good; 0: any time, None: as usual.

        Behind a pooler the server's session is another's after each transaction, so all but migrations stay within.
        """
        limit = "DEFAULT" if seconds is None else f"'{seconds}s'"
        with self.cursor() as cursor:
            cursor.execute(f"SET {'SESSION' if for_session else 'LOCAL'} statement_timeout = {limit}")
        self.connection.patience = self._patience(seconds)

    def _patience(self, seconds: int | None) -> float | None:
        if seconds is None:
            # Making a database, as tests do, is nobody's request.
            seconds = 0 if self.alias == NO_DB_ALIAS else settings.REQUEST_STATEMENT_SECONDS
        return seconds + GRACE_SECONDS if seconds else None

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs leave it out
        if autocommit:
            # A transaction is over, and with it what it was given.
            self.connection.patience = self._patience(None)

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def note(self, error: Any) -> None:
        """Note of an error whether the connection was lost with it, and of the connection whether it can be used on.

        By the time that somebody handles the error, Django may have connected anew.
        """
        is_lost = self.connection is None or self.connection.closed
        if is_lost and error.sqlstate is None and not hasattr(error, "lost_connection"):
            error.lost_connection = Outage.OUT_OF_REACH
        outage = outage_of(error)
        self.is_unfit = self.is_unfit or (outage is not None and outage.spoils_connection)

    def close_if_health_check_failed(self) -> None:
        """Give up a kept connection that is over, at its first use in a request or task; costs no round trip."""
        if self.connection is not None and self.health_check_enabled and not self.health_check_done:
            if not self.connection.stands():
                self.close()
            self.health_check_done = True

    def close_if_unusable_or_obsolete(self) -> None:
        if self.is_unfit and self.connection is not None:
            self.close()
        super().close_if_unusable_or_obsolete()
