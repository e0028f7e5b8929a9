"""PostgreSQL's query plans of a function's statements, at table sizes that tests can build.

A plan is that of a prepared statement: ``custom`` for the given parameters, ``generic`` for any.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, models
from psycopg import ClientCursor, sql
from psycopg.types.numeric import Int2, Int4

MODES = ("custom", "generic")
# Django passes some integers to the driver with their size in bytes.
_TYPES: dict[type, str] = {
    bool: "boolean",
    Int2: "smallint",
    Int4: "integer",
    int: "bigint",
    Decimal: "numeric",
    datetime: "timestamptz",
    UUID: "uuid",
}


class Statement(NamedTuple):
    text: str
    parameters: list[Any]


class Step(NamedTuple):
    """Plan node that reads a table: the method, the index, and the condition on the index."""

    node: str
    table: str
    by: str | None
    condition: str


def statements_of(run: Callable[[], Any]) -> list[Statement]:
    """Run a function and return its statements about rows."""
    found: list[Statement] = []

    def keep(execute: Any, text: str, parameters: Any, many: bool, context: Any) -> Any:
        found.append(Statement(text, list(parameters or ())))
        return execute(text, parameters, many, context)

    with connection.execute_wrapper(keep):
        run()
    words = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
    return [statement for statement in found if statement.text.lstrip(" \n(").startswith(words)]


def plan(statement: Statement, *, mode: str) -> dict[str, Any]:
    """Return the plan of a statement as PostgreSQL's JSON."""
    names = [f"${n}" for n in range(1, len(statement.parameters) + 1)]
    text = statement.text % tuple(names) if names else statement.text
    types = f"({', '.join(map(_type, statement.parameters))})" if names else ""
    with connection.cursor() as cursor, _plan_cache(cursor, mode):
        cursor.execute(f"PREPARE planned{types} AS {text}")
        try:
            values = ClientCursor(connection.connection).mogrify(
                f"({', '.join(['%s'] * len(names))})" if names else "", statement.parameters
            )
            cursor.execute(sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE planned" + values.replace("%", "%%")), ())
            (told,) = cursor.fetchone()
        finally:
            cursor.execute("DEALLOCATE planned")
    (root,) = json.loads(told) if isinstance(told, str) else told
    return dict(root["Plan"])


def nodes_of(statement: Statement, *, mode: str) -> list[dict[str, Any]]:
    return list(nodes(plan(statement, mode=mode)))


def reads(statement: Statement, *, mode: str) -> list[Step]:
    """Return the plan nodes of a statement that read tables."""
    return [
        Step(node["Node Type"], node.get("Relation Name", ""), node.get("Index Name"), node.get("Index Cond", ""))
        for node in nodes_of(statement, mode=mode)
        if "Relation Name" in node or "Index Name" in node
    ]


def analyse(*tables: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(model._meta.db_table for model in tables)}")


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@contextmanager
def _plan_cache(cursor: Any, mode: str) -> Iterator[None]:
    cursor.execute(f"SET plan_cache_mode = force_{mode}_plan")
    try:
        yield
    finally:
        cursor.execute("RESET plan_cache_mode")


def _type(value: Any) -> str:
    if isinstance(value, list):
        return f"{_type(value[0])}[]" if value and not isinstance(value[0], str) else "text[]"
    return next((name for kind, name in _TYPES.items() if isinstance(value, kind)), "unknown")
