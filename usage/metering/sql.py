"""SQL that aggregations share: windows as a table, the records of a line in a window, exact totals."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from billing.storage import rows
from usage.chains import LIVE

_OWNERS = {"line_id": "bigint", "customer_id": "uuid"}
_SPAN = {"starts_at": "timestamptz", "ends_at": "timestamptz", "cutoff": "bigint"}
# The live records ``r`` of a window ``w`` of a line.
OF_WINDOW = f"""r.workspace_id = w.workspace_id AND r.line_id = w.line_id
    AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at AND {LIVE.format(window="w")}"""


def total_of(column: str) -> str:
    """Return the SQL of the exact total of a column, on the database in use."""
    return f"{'SUM' if connection.vendor == 'postgresql' else 'exact_sum'}({column})"


def windows_table(windows: Sequence[Any], owner: str = "line_id") -> tuple[str, list[Any]]:
    """Return a SELECT of (n, workspace_id, line_id or customer_id, starts_at, ends_at, cutoff) and its parameters.

    ``n`` is the position of a window, from 0. All windows are of one workspace.
    """
    (workspace_id,) = {window.workspace_id for window in windows}
    columns = {"n": "int", owner: _OWNERS[owner], **_SPAN}
    given = rows.limited_table("given", columns)
    taken = (owner, *_SPAN)
    values = ({"n": n, **{name: getattr(window, name) for name in taken}} for n, window in enumerate(windows))
    workspace = "CAST(%s AS bigint)" if connection.vendor == "postgresql" else "%s"
    select = f"SELECT n, {workspace} AS workspace_id, {', '.join(taken)} FROM {given}"
    return select, [workspace_id, rows.parameter(values), len(windows)]
