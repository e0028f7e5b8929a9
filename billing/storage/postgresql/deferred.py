"""Operations of migrations that PostgreSQL runs after the tables' indexes, which are made at the end."""

from collections.abc import Callable
from typing import Any

Operation = Callable[[Any, Any], None]


def on_postgresql(*statements: str) -> Operation:
    """Return an operation that runs statements; on other databases it does nothing."""

    def run(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.deferred_sql.extend(statements)

    return run


def make_last(index: str) -> Operation:
    """Return an operation that leaves the making of an index to the end.

    Of indexes that cost the same by its statistics, PostgreSQL takes the one that was made last.
    """

    def run(apps: Any, schema_editor: Any) -> None:
        waiting = schema_editor.deferred_sql
        waiting.sort(key=lambda statement: f'"{index}"' in str(statement))

    return run
