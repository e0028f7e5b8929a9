"""SQL that aggregations share: windows as a table, exact totals."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from billing.storage.jsontext import encode

_WINDOWS = {
    "postgresql": """SELECT n, %s::bigint AS workspace_id, {owner}, starts_at, ends_at, cutoff
        FROM unnest(%s::int[], %s::{type}[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
        AS given(n, {owner}, starts_at, ends_at, cutoff)""",
    "sqlite": """SELECT key AS n, %s AS workspace_id, json_extract(value, '$[0]') AS {owner},
        json_extract(value, '$[1]') AS starts_at, json_extract(value, '$[2]') AS ends_at,
        json_extract(value, '$[3]') AS cutoff
        FROM json_each(%s)""",
}
_TYPES = {"line_id": "bigint", "customer_id": "uuid"}


def total_of(column: str) -> str:
    """Return the SQL of the exact total of a column, on the database in use."""
    return f"{'SUM' if connection.vendor == 'postgresql' else 'exact_sum'}({column})"


def windows_table(windows: Sequence[Any], owner: str = "line_id") -> tuple[str, list[Any]]:
    """Return a SELECT of (n, workspace_id, line_id or customer_id, starts_at, ends_at, cutoff) and its parameters.

    ``n`` is the position of a window, from 0. All windows are of one workspace.
    """
    (workspace_id,) = {window.workspace_id for window in windows}
    table = _WINDOWS[connection.vendor].format(owner=owner, type=_TYPES[owner])
    owners = [getattr(window, owner) for window in windows]
    if connection.vendor == "postgresql":
        columns = zip(*((w.starts_at, w.ends_at, w.cutoff) for w in windows), strict=True)
        return table, [workspace_id, list(range(len(windows))), owners, *map(list, columns)]
    adapt = connection.ops.adapt_datetimefield_value
    rows = [
        [whose.hex if isinstance(whose, UUID) else whose, adapt(w.starts_at), adapt(w.ends_at), w.cutoff]
        for whose, w in zip(owners, windows, strict=True)
    ]
    return table, [workspace_id, encode(rows).decode()]
