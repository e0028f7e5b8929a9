from types import TracebackType
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from billing.outages import Outage, outage_of


class ErrorWrapper(DatabaseErrorWrapper):
    """Raises Django's exceptions from the driver's, and notes of each what only this moment knows."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error):
            self.wrapper.note(error)
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is given up with the request or task that found it unfit."""

    is_unfit = False

    def connect(self) -> None:
        super().connect()
        self.is_unfit = False

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def note(self, error: Any) -> None:
        """Note of an error whether the connection was lost with it, and of the connection whether it can be used on.

        By the time that somebody handles the error, Django may have connected anew.
        """
        if error.sqlstate is None and (self.connection is None or self.connection.closed):
            error.lost_connection = Outage.OUT_OF_REACH
        outage = outage_of(error)
        self.is_unfit = self.is_unfit or (outage is not None and outage.spoils_connection)

    def close_if_unusable_or_obsolete(self) -> None:
        if self.is_unfit and self.connection is not None:
            self.close()
        super().close_if_unusable_or_obsolete()
