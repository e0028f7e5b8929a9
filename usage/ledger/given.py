"""Rows that a statement is given as one parameter: JSON, which both databases read as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from billing.jsontext import encode


def given(columns: Mapping[str, str]) -> str:
    """Return the FROM item ``given`` of these columns, by their PostgreSQL types; its parameter is of ``rows``."""
    if connection.vendor == "postgresql":
        return f"json_to_recordset(%s::json) AS given({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    extracted = ", ".join(f"value ->> '$.{name}' AS {name}" for name in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS given"


def rows(values: Iterable[Mapping[str, Any]]) -> str:
    """Return the parameter. Decimals, moments and JSON go in as the texts that the driver would be given."""
    return encode(list(values)).decode()
