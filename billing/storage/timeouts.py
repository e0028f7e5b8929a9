"""Set statement timeouts by kind of work: a request, a close, any other job.

The default of the database role is the timeout of a request, so it applies to every connection, even behind a pooler
that uses another one for each transaction. Jobs raise it in transactions that they need anyway. SQLite has no timeout.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import connection, connections, transaction


def allow(seconds: int) -> None:
    """Let each statement of the current transaction take up to this many seconds; 0: without limit.

    Raises ``RuntimeError`` outside a transaction, where it would have no effect.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A timeout can be changed only within a transaction.")
    if connection.vendor == "postgresql":
        connection.limit_statements(seconds)  # type: ignore[attr-defined]  # our backend's


@contextmanager
def reading(seconds: int) -> Iterator[None]:
    """Let each statement of the block take up to this many seconds; on PostgreSQL this opens a transaction."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        allow(seconds)
        yield


_ROLE_DEFAULT = "SELECT reset_val::bigint FROM pg_settings WHERE name = 'statement_timeout'"


def role_default(alias: str = "default") -> int | None:
    """Return the default statement timeout in milliseconds, 0 for none; None on SQLite."""
    if connections[alias].vendor != "postgresql":
        return None
    with connections[alias].cursor() as cursor:
        cursor.execute(_ROLE_DEFAULT)
        return int(cursor.fetchone()[0])


def set_role_default() -> str:
    """Make the request's timeout the default of the database role in this database; return the executed statement.

    It applies to sessions that start from now on.
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
    """Warn if the default statement timeout of the database differs from the setting."""
    wanted = settings.REQUEST_STATEMENT_SECONDS * 1000
    found = role_default("default") if "default" in (databases or ()) else None
    if found is None or found == wanted:
        return []
    current = f"{found / 1000:g} s" if found else "unlimited"
    return [
        Warning(
            f"The database's statement timeout is {current}, not {settings.REQUEST_STATEMENT_SECONDS} s as set.",
            hint="Run `manage.py limit_statements`, or set the role's statement_timeout.",
            id="billing.W001",
        )
    ]
