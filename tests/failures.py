"""Database failures as Django raises them: its own exception, raised from the driver's."""

from typing import Any

from django.db import Error, OperationalError
from psycopg import errors


def raised(error: Exception, kind: type[Error] = OperationalError) -> Error:
    """Return the exception that Django raises for the driver's ``error``."""
    told = kind(*error.args)
    told.__cause__ = error
    return told


def lost_connection(kind: type[Error] = OperationalError) -> Error:
    return raised(errors.AdminShutdown("terminating connection due to administrator command"), kind)


def slowly(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
    """Execution wrapper for PostgreSQL that delays statements about the ledger by ten seconds."""
    if 'FROM "usage_usagerecord"' in statement:
        execute("SELECT pg_sleep(10)", (), False, context)
    return execute(statement, parameters, many, context)
