"""Work that a database does for a function, counted and not timed: instructions on SQLite, rows on PostgreSQL."""

import json
from collections.abc import Callable
from typing import Any

from django.db import connection

from tests.plans import nodes

_INSTRUCTIONS = 100


def work_of(run: Callable[[], Any]) -> int:
    """Run a function that only reads. Return the rows that the nodes of its plans processed, or the instructions."""
    return _rows(run) if connection.vendor == "postgresql" else _instructions(run)


def _instructions(run: Callable[[], Any]) -> int:
    ticks: list[None] = []
    connection.ensure_connection()
    raw = connection.connection
    raw.set_progress_handler(lambda: ticks.append(None), _INSTRUCTIONS)
    try:
        run()
    finally:
        raw.set_progress_handler(None, 0)
    return len(ticks) * _INSTRUCTIONS


def _rows(run: Callable[[], Any]) -> int:
    found: list[float] = []

    def explain(execute: Any, text: str, parameters: Any, many: bool, context: Any) -> Any:
        with connection.connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {text}", parameters)
            (told,) = cursor.fetchone()
        (root,) = json.loads(told) if isinstance(told, str) else told
        found.extend(map(_handled, nodes(root["Plan"])))
        return execute(text, parameters, many, context)

    with connection.execute_wrapper(explain):
        run()
    return round(sum(found))


def _handled(node: dict[str, Any]) -> float:
    removed = sum(rows for name, rows in node.items() if name.startswith("Rows Removed by"))
    return float(node["Actual Loops"] * (node["Actual Rows"] + removed))
