"""Detection of the program's statements that read or write a tenant table without naming its workspace.

A table is bound if its ``workspace_id`` is compared, for each row that counts, to a value or to a ``workspace_id`` that
is bound itself: that of another table, of an outer statement, or of rows given or selected before.
"""

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from sqlglot import exp

from billing.models import Workspace
from billing.tenancy import crossing

ROOT = Path(__file__).parents[1]
PROGRAM = tuple(f"{ROOT}/{name}/" for name in ("billing", "usage", "config"))
TESTS = f"{ROOT}/tests/"
COLUMN = "workspace_id"
# Definition and maintenance concern a table as a whole.
_WHOLE_TABLES = re.compile(
    r"\s*(CREATE|ALTER|DROP|TRUNCATE|ANALYZE|VACUUM|COMMENT|COPY|PRAGMA|LOCK|SET|EXPLAIN)\b", re.I
)

# Locking clauses do not affect which rows are read, and sqlglot does not parse all of them.
_LOCKS = re.compile(
    r"FOR (NO KEY UPDATE|KEY SHARE|UPDATE|SHARE)( OF [\w\", .]+?)?( SKIP LOCKED| NOWAIT)?"
    r"(?=\s*($|\)|ON CONFLICT|RETURNING|--))"
)


class UnboundStatement(AssertionError):
    """A statement reads or writes rows of every workspace."""


@cache
def tenant_tables() -> frozenset[str]:
    """Return the tables with rows of one workspace."""
    return frozenset(
        model._meta.db_table
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.name == "workspace" and field.related_model is Workspace
    )


def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Check the statements of a connection, whichever thread uses it."""
    if check not in connection.execute_wrappers:
        connection.execute_wrappers.append(check)


def check(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement. Raise ``UnboundStatement`` if the program sent it and it leaves a tenant table unbound."""
    if (
        crossing() is None
        and (unbound := unbound_tables(str(sql), context["connection"].vendor))
        and _is_the_programs()
    ):
        raise UnboundStatement(f"{', '.join(unbound)} without a workspace in: {sql}")
    return execute(sql, params, many, context)


def _is_the_programs() -> bool:
    """Return whether the nearest caller within the project is the program and not a test."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PROGRAM) and "/migrations/" not in name:
            return True
        if name.startswith(TESTS) and name != __file__:
            return False
        frame = frame.f_back
    return False


@cache
def unbound_tables(sql: str, vendor: str) -> tuple[str, ...]:
    """Return the tenant tables of a statement that are not bound to a workspace."""
    if _WHOLE_TABLES.match(sql) or not any(table in sql for table in tenant_tables()):
        return ()
    spelled = sql.replace("%s", "?" if vendor == "sqlite" else "$1").replace("%%", "%")
    spelled = _LOCKS.sub("", spelled)
    tree = sqlglot.parse_one(spelled, dialect="sqlite" if vendor == "sqlite" else "postgres")
    return tuple(sorted({name for statement in _statements(tree) for name in _unbound(statement)}))


def _statements(tree: Any) -> Iterator[Any]:
    yield from tree.find_all(exp.Select, exp.Update, exp.Delete, exp.Insert)


def _unbound(statement: Any) -> Iterator[str]:
    if isinstance(statement, exp.Insert):
        schema = statement.this
        columns = {column.name for column in schema.expressions} if isinstance(schema, exp.Schema) else set()
        table = schema.find(exp.Table)
        if table is not None and table.name in tenant_tables() and COLUMN not in columns:
            yield table.name
        return
    sources = dict(_sources(statement))
    bound = _bound(statement, sources)
    for alias, name in sources.items():
        if name in tenant_tables() and alias not in bound:
            yield name


def _sources(statement: Any) -> Iterator[tuple[str, str]]:
    """Yield alias and name of each source that a statement itself reads or writes.

    Derived tables have an empty name.
    """
    for node in statement.find_all(exp.Table, exp.Subquery, exp.Unnest, exp.Lateral):
        if _owner(node) is not statement or not _is_source(node):
            continue
        yield node.alias_or_name, node.name if isinstance(node, exp.Table) else ""


def _is_source(node: Any) -> bool:
    return isinstance(node, exp.Table) or isinstance(node.parent, exp.From | exp.Join | exp.Lateral)


def _owner(node: Any) -> Any:
    """Return the statement that a node belongs to.

    A subquery in FROM belongs to it, the subquery's content does not.
    """
    found: Any = node.parent
    while found is not None and not isinstance(found, exp.Select | exp.Update | exp.Delete | exp.Insert):
        found = found.parent
    return found


def _conditions(statement: Any) -> Iterator[tuple[Any, str]]:
    """Yield each condition of a statement with the only table that it restricts, or an empty name for all tables."""
    for node in statement.find_all(exp.Where, exp.Join):
        if _owner(node) is not statement:
            continue
        condition = node.this if isinstance(node, exp.Where) else node.args.get("on")
        outer = node.this.alias_or_name if isinstance(node, exp.Join) and node.args.get("side") else ""
        if condition is not None:
            yield from ((conjunct, outer) for conjunct in _conjuncts(condition))


def _conjuncts(condition: Any) -> Iterator[Any]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _bound(statement: Any, sources: dict[str, str]) -> set[str]:
    tables = [alias for alias, name in sources.items() if name in tenant_tables()]
    # Derived tables, values and outer statements are bound where they are read.
    bound: set[str] = set()
    bound_by: list[tuple[str, str]] = []
    for condition, outer in _conditions(statement):
        for alias, other in _compared(condition, tables):
            if outer in ("", alias):
                if other in tables:
                    bound_by.append((alias, other))
                else:
                    bound.add(alias)
    for _ in bound_by:
        bound |= {alias for alias, other in bound_by if other in bound}
    return bound


def _compared(condition: Any, tables: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each table whose workspace is compared, with the table compared to, or an empty name for a value."""
    if isinstance(condition, exp.In) and (alias := _alias(condition.this, tables)):
        yield alias, ""
    if isinstance(condition, exp.EQ):
        for here, there in ((condition.this, condition.expression), (condition.expression, condition.this)):
            if alias := _alias(here, tables):
                column = _column(there)
                yield alias, "" if column is None else column.table


def _column(node: Any) -> exp.Column | None:
    found = node.unnest()
    return found if isinstance(found, exp.Column) and found.name == COLUMN else None


def _alias(node: Any, tables: list[str]) -> str:
    column = _column(node)
    if column is None:
        return ""
    if column.table:
        return column.table if column.table in tables else ""
    return tables[0] if len(tables) == 1 else ""
