"""Pass rows and ids to SQL, as one parameter, on PostgreSQL and SQLite alike.

A statement reads rows as a table: ``table`` returns its FROM item and ``parameter`` its parameter, JSON text on both
databases. Ids are a special case: ``among`` returns a condition, and ``is_among`` the same for a query set.
``bulk.insert`` writes many rows into the table of their model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, overload
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from billing.storage.jsontext import encode


def table(name: str, columns: Mapping[str, str]) -> str:
    """Return the FROM item of this name and these columns, each with its PostgreSQL type.

    It takes one parameter: ``parameter(rows)``. On SQLite a column has the type of its values.
    """
    if connection.vendor == "postgresql":
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        return f"json_to_recordset(%s::json) AS {name}({typed})"
    extracted = ", ".join(f"value ->> '$.{column}' AS {column}" for column in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS {name}"


def limited_table(name: str, columns: Mapping[str, str]) -> str:
    """Return the same for a statement that joins the rows; a second parameter is how many there are.

    PostgreSQL assumes that a table of JSON rows has a hundred, and would read a whole table rather than look a hundred
    rows up in its index. A limit tells it of fewer.
    """
    return f"(SELECT * FROM {table(name, columns)} LIMIT %s) AS {name}"


def parameter(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the parameter that contains the rows; columns that a row omits are NULL.

    UUIDs, moments and decimals are converted to the form in which the database compares them; they and JSON can also
    be given as the texts that the driver accepts. A decimal for SQLite needs all decimal places of its column
    (``ExactDecimalField.canonical``), since the column stores texts.
    """
    if connection.vendor == "postgresql":
        return encode(list(rows)).decode()
    return encode([{name: _for_sqlite(value) for name, value in row.items()} for row in rows]).decode()


def one_of(column: str, query: str) -> str:
    """Return the condition that a column has one of a query's values, which uses the column's index.

    PostgreSQL assumes 100 rows in a table of JSON rows, and would join it by scanning the other table.
    """
    return f"{column} = ANY(ARRAY({query}))" if connection.vendor == "postgresql" else f"{column} IN ({query})"


def among(ids: Sequence[UUID] | Sequence[int] | Sequence[str]) -> tuple[str, list[Any]]:
    """Return the right side of an SQL condition that a column is one of these ids, and its single parameter."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", [list(ids)]
    return "IN (SELECT value FROM json_each(%s))", [encode(list(map(_for_sqlite, ids))).decode()]


def is_among(column: str, ids: Sequence[UUID] | Sequence[int]) -> RawSQL:
    """Return the same as a filter; ``__in`` would have a parameter for each id, whose number is limited."""
    condition, parameters = among(ids)
    return RawSQL(f"{column} {condition}", parameters, output_field=BooleanField())


def read_uuid(value: Any) -> UUID | None:
    """Convert a UUID that a statement has returned; SQLite stores its hexadecimal digits."""
    return value if value is None or isinstance(value, UUID) else UUID(value)


@overload
def read_moment(value: datetime) -> datetime: ...
@overload
def read_moment(value: datetime | None) -> datetime | None: ...
def read_moment(value: datetime | None) -> datetime | None:
    """Convert a moment that a statement has returned; SQLite stores it in UTC, without an offset."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _moment(value: datetime) -> str | None:
    return connection.ops.adapt_datetimefield_value(value)


# SQLite has none of these types: Django stores a UUID as its digits, a moment as text in UTC, a decimal as text.
_ON_SQLITE: Mapping[type, Callable[[Any], Any]] = {
    UUID: lambda value: value.hex,
    datetime: _moment,
    Decimal: lambda value: f"{value:f}",
}


def _for_sqlite(value: Any) -> Any:
    adapt = _ON_SQLITE.get(type(value))
    return value if adapt is None else adapt(value)
