"""Limit the time of statements by kind of work: a request, a close, any other job.

The default of the database role is the limit of a request, so it holds on every connection, also behind a pooler that
gives each transaction another one. Jobs raise it inside of transactions that they need anyway. SQLite has no limit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import connection, connections, transaction


def allow(seconds: int) -> None:
    """Let each statement of the current transaction take up to this many seconds; 0: without limit.

    Raises ``RuntimeError`` outside of a transaction, where it would have no effect.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A limit is raised for a transaction, and there is none.")
    if connection.vendor == "postgresql":
        connection.limit_statements(seconds)  # type: ignore[attr-defined]  # our backend's


@contextmanager
def reading(seconds: int) -> Iterator[None]:
    """Let each statement inside take up to this many seconds; on PostgreSQL this opens a transaction."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        allow(seconds)
        yield


_ROLE_DEFAULT = "SELECT reset_val::bigint FROM pg_settings WHERE name = 'statement_timeout'"


def role_default(alias: str = "default") -> int | None:
    """Return the milliseconds after which the database stops a statement, 0 for never; None on SQLite."""
    if connections[alias].vendor != "postgresql":
        return None
    with connections[alias].cursor() as cursor:
        cursor.execute(_ROLE_DEFAULT)
        return int(cursor.fetchone()[0])


def set_role_default() -> str:
    """Make the request's limit the default of the database role in this database; return the statement that did it.

    It holds for sessions that begin from now on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, database = map(connection.ops.quote_name, cursor.fetchone())
        statement = (
            f"ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '{settings.REQUEST_STATEMENT_SECONDS}s'"
        )
        cursor.execute(statement)
    return statement


def check_role_default(*, databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Warn where the limit that the database keeps for a statement differs from the setting."""
    wanted = settings.REQUEST_STATEMENT_SECONDS * 1000
    found = role_default("default") if "default" in (databases or ()) else None
    if found is None or found == wanted:
        return []
    told = f"stops a statement after {found / 1000:g} s" if found else "stops no statement, however long it takes"
    return [
        Warning(
            f"The database {told}; a request's may take {settings.REQUEST_STATEMENT_SECONDS} s.",
            hint="Run `manage.py limit_statements`, or set the role's statement_timeout.",
            id="billing.W001",
        )
    ]
