"""Hand many rows to a statement as one parameter: JSON text, which both databases read as a table."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from billing.storage.jsontext import encode


def table(name: str, columns: Mapping[str, str]) -> str:
    """Return the FROM item of this name and these columns, each with its PostgreSQL type.

    It takes one parameter: ``parameter(rows)``.
    """
    if connection.vendor == "postgresql":
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        return f"json_to_recordset(%s::json) AS {name}({typed})"
    extracted = ", ".join(f"value ->> '$.{column}' AS {column}" for column in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS {name}"


def parameter(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the parameter that holds the rows; columns that a row leaves out are NULL.

    Decimals, moments, UUIDs and JSON are given as the texts that the driver takes for them.
    """
    return encode(list(rows)).decode()


def one_of(column: str, query: str) -> str:
    """Return the condition that a column has one of a query's values, to be looked up in the column's index.

    PostgreSQL assumes that a table of JSON rows has a hundred, and joins it by reading the other table as a whole.
    """
    return f"{column} = ANY(ARRAY({query}))" if connection.vendor == "postgresql" else f"{column} IN ({query})"


def read_uuid(value: Any) -> UUID | None:
    """Return a UUID that a statement has returned; SQLite keeps its hexadecimal digits."""
    return value if value is None or isinstance(value, UUID) else UUID(value)


def read_moment(value: datetime | None) -> datetime | None:
    """Return a moment that a statement has returned; SQLite keeps it in UTC, without saying so."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
