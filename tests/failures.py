"""Failures as they come out of Django: its own exception, raised from the driver's."""

from typing import Any

from django.db import Error, OperationalError
from psycopg import errors


def raised(error: Exception, kind: type[Error] = OperationalError) -> Error:
    """Return what Django raises where the driver raised ``error``."""
    told = kind(*error.args)
    told.__cause__ = error
    return told


def lost_connection(kind: type[Error] = OperationalError) -> Error:
    return raised(errors.AdminShutdown("terminating connection due to administrator command"), kind)


def slowly(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
    """Have a statement about the ledger take ten seconds longer; of PostgreSQL, around its statements."""
    if 'FROM "usage_usagerecord"' in statement:
        execute("SELECT pg_sleep(10)", (), False, context)
    return execute(statement, parameters, many, context)
