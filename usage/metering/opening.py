"""The opening value of a gauge's window: the last value before it, or the value that its line carries on.

A line that carries on opens with the last value of the brick's previous line or, if that line had none and carries on
itself, with that of the line before. It is read from the records as of the window's cutoff and never copied: late usage
of a former line changes the opening of later lines. Closing locks all lines of a subscription at once, so that the same
cutoff applies to all of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from django.db import connection

from usage.chains import LIVE
from usage.metering.sql import windows_table

# A chain: the lines of a brick in a subscription, as of a cutoff. Values pass along it in the order of their starts.
CHAIN = "workspace_id, subscription_id, brick_id, cutoff"
# A voided line sorts before a line with the same start, and a question about a line before the line itself.
IN_ORDER = "ORDER BY starts_at, ends_at NULLS LAST, turn"


def runs(*, asked: Sequence[str], passed: str) -> str:
    """Return the CTE ``runs``: questions about the value that a line carries on, among the earlier lines of its chain.

    The caller's CTE ``asking`` has a row per question: the columns ``asked``, which lines don't have, and the columns
    of ``CHAIN`` and ``IN_ORDER``, of a line that carries on. ``passed`` is the SQL of the value that a ``line`` passes
    on as of the ``chain``'s cutoff, NULL if it passes on the value that it carried on itself.

    ``run`` numbers the parts of a chain between which no value is carried: a line that opens at 0 starts a new part.
    ``place`` counts the values of ``passed`` up to a row. A chain is read once, whatever the number of questions, since
    the number of pairs of its lines would be quadratic.
    """
    columns, nothing = ", ".join(asked), ", ".join("NULL" for _ in asked)
    return f"""chain AS (
    SELECT {CHAIN}, MAX(starts_at) AS until FROM asking GROUP BY {CHAIN}
),
passing AS (
    SELECT {columns}, {CHAIN}, starts_at, ends_at, 0 AS turn, 0 AS opens_at_zero, NULL AS passed FROM asking
    UNION ALL
    SELECT {nothing}, chain.workspace_id, chain.subscription_id, chain.brick_id, chain.cutoff,
        line.starts_at, line.ends_at, 1,
        CASE WHEN line.carries_on OR line.ends_at = line.starts_at THEN 0 ELSE 1 END, {passed}
    FROM chain CROSS JOIN billing_line line
    WHERE line.workspace_id = chain.workspace_id AND line.subscription_id = chain.subscription_id
        AND line.brick_id = chain.brick_id AND line.starts_at < chain.until
),
runs AS (
    SELECT {columns}, {CHAIN}, starts_at, ends_at, turn, passed,
        SUM(opens_at_zero) OVER (PARTITION BY {CHAIN} {IN_ORDER}) AS run,
        COUNT(passed) OVER (PARTITION BY {CHAIN} {IN_ORDER}) AS place
    FROM passing
)"""


_LAST = f"""(SELECT r.id FROM usage_usagerecord r
    WHERE r.workspace_id = {{line}}.workspace_id AND r.line_id = {{line_id}} AND r.occurred_at < {{until}} AND {LIVE}
    ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1)"""

_WINDOW = ("n", "window_starts_at", "window_ends_at")

# The CTE ``opening``: per window ``w`` that does not open at 0, the id of the record that opens it. Former lines are
# read only if the line itself had no value before the window.
OPENING = f"""own AS (
    SELECT w.n, w.workspace_id, w.line_id, w.starts_at, w.ends_at, w.cutoff,
        {_LAST.format(line="w", line_id="w.line_id", until="w.starts_at", window="w")} AS record_id
    FROM w
),
asking AS (
    SELECT own.n, own.starts_at AS window_starts_at, own.ends_at AS window_ends_at, own.cutoff,
        line.workspace_id, line.subscription_id, line.brick_id, line.starts_at, line.ends_at
    FROM own CROSS JOIN billing_line line
    WHERE own.record_id IS NULL AND line.workspace_id = own.workspace_id AND line.id = own.line_id AND line.carries_on
),
{runs(asked=_WINDOW, passed=_LAST.format(line="line", line_id="line.id", until="line.ends_at", window="chain"))},
carried AS (
    SELECT workspace_id, {", ".join(_WINDOW)},
        MAX(passed) OVER (PARTITION BY {CHAIN}, run, place) AS record_id
    FROM runs
),
opening AS (
    SELECT workspace_id, n, starts_at, ends_at, record_id FROM own WHERE record_id IS NOT NULL
    UNION ALL
    SELECT workspace_id, {", ".join(_WINDOW)}, record_id FROM carried WHERE n IS NOT NULL AND record_id IS NOT NULL
)"""


class GaugeWindow(Protocol):
    """A window of an aggregation that stands on, or an invoice line with the same attributes."""

    @property
    def workspace_id(self) -> int: ...
    @property
    def line_id(self) -> int | None: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def cutoff(self) -> int: ...


def opening_records(windows: Sequence[GaugeWindow]) -> list[int | None]:
    """Return per window the id of the record with its opening value, None if it opens at 0; one query."""
    if not windows:
        return []
    table, parameters = windows_table(windows)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH w AS ({table}), {OPENING} SELECT n, record_id FROM opening", parameters)
        found = dict(cursor.fetchall())
    return [found.get(n) for n in range(len(windows))]
