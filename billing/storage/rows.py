"""Rows that a statement is given as one parameter: JSON, which both databases read as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from billing.storage.jsontext import encode


def given(columns: Mapping[str, str]) -> str:
    """Return the FROM item ``given`` of these columns, by their PostgreSQL types; its parameter is of ``rows``."""
    if connection.vendor == "postgresql":
        return f"json_to_recordset(%s::json) AS given({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    extracted = ", ".join(f"value ->> '$.{name}' AS {name}" for name in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS given"


def rows(values: Iterable[Mapping[str, Any]]) -> str:
    """Return the parameter. Decimals, moments and JSON go in as the texts that the driver would be given."""
    return encode(list(values)).decode()


def one_of(column: str, query: str) -> str:
    """Return the condition that a column has one of a query's values, to be looked up in the column's index.

    PostgreSQL takes given rows for a hundred, however few they are, and would rather read the whole table for them.
    """
    return f"{column} = ANY(ARRAY({query}))" if connection.vendor == "postgresql" else f"{column} IN ({query})"
