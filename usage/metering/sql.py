"""What the aggregations share: windows as a table, and which records are live as of a cutoff."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

from billing.jsontext import encode

if TYPE_CHECKING:
    from usage.metering.measure import Window

# A record counts as of a cutoff when it was there and nothing that was there had superseded it.
LIVE = """r.kind <> 'retraction' AND r.id <= {window}.cutoff
    AND (r.superseded_by_id IS NULL OR r.superseded_by_id > {window}.cutoff)"""

_WINDOWS = {
    "postgresql": """SELECT n, line_id, starts_at, ends_at, cutoff
        FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
        AS given(n, line_id, starts_at, ends_at, cutoff)""",
    "sqlite": """SELECT key AS n, json_extract(value, '$[0]') AS line_id, json_extract(value, '$[1]') AS starts_at,
        json_extract(value, '$[2]') AS ends_at, json_extract(value, '$[3]') AS cutoff
        FROM json_each(%s)""",
}


def windows_table(windows: "Sequence[Window]") -> tuple[str, list[Any]]:
    """Return a SELECT of (n, line_id, starts_at, ends_at, cutoff), n counting from 0, and its parameters."""
    if connection.vendor == "postgresql":
        columns = zip(*((w.line_id, w.starts_at, w.ends_at, w.cutoff) for w in windows), strict=True)
        return _WINDOWS["postgresql"], [list(range(len(windows))), *map(list, columns)]
    adapt = connection.ops.adapt_datetimefield_value
    rows = [[w.line_id, adapt(w.starts_at), adapt(w.ends_at), w.cutoff] for w in windows]
    return _WINDOWS["sqlite"], [encode(rows).decode()]
