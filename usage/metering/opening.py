"""What a gauge opens a window with: the last value before it, or else what a line that carries on takes over.

A line that carries on opens with the last value of the line of its brick before it, or, where that one had none and
carries on itself, of the one before that. It is read from the records as of the window's own cutoff and kept nowhere:
usage that comes late for a former line changes what the later ones open with. Closing locks all lines of a
subscription at once, so that one cutoff holds for all of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from django.db import connection

from usage.metering.sql import LIVE, windows_table

# That the value of ``former`` is carried on as far as ``line``: no line up to it opens at 0.
CARRIED = """former.workspace_id = line.workspace_id AND former.subscription_id = line.subscription_id
    AND former.brick_id = line.brick_id AND former.starts_at < line.starts_at AND line.carries_on
    AND NOT EXISTS (
        SELECT 1 FROM billing_line anew
        WHERE anew.workspace_id = line.workspace_id AND anew.subscription_id = line.subscription_id
            AND anew.brick_id = line.brick_id AND NOT anew.carries_on AND anew.starts_at < anew.ends_at
            AND anew.starts_at > former.starts_at AND anew.starts_at < line.starts_at
    )"""

_LAST = f"""SELECT r.id FROM usage_usagerecord r
    WHERE r.line_id = {{line_id}} AND r.occurred_at < {{until}} AND {LIVE.format(window="w")}
    ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1"""

# The id of the record that opens the window ``w``, NULL where it opens at 0. Former lines are looked at only where the
# line itself had no value.
OPENING = f"""COALESCE(
    ({_LAST.format(line_id="w.line_id", until="w.starts_at")}),
    (SELECT before.record_id FROM (
        SELECT former.starts_at, ({_LAST.format(line_id="former.id", until="former.ends_at")}) AS record_id
        FROM billing_line line JOIN billing_line former ON {CARRIED}
        WHERE line.id = w.line_id
    ) before WHERE before.record_id IS NOT NULL ORDER BY before.starts_at DESC LIMIT 1)
)"""


class GaugeWindow(Protocol):
    """A gauge's window, or an invoice line, which has one."""

    @property
    def line_id(self) -> int | None: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def cutoff(self) -> int: ...


def opening_records(windows: Sequence[GaugeWindow]) -> list[int | None]:
    """Return per window the id of the record whose value stood when it began, None where it opens at 0; one query."""
    table, parameters = windows_table(windows)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH w AS ({table}) SELECT w.n, {OPENING} FROM w", parameters)
        found = dict(cursor.fetchall())
    return [found[n] for n in range(len(windows))]
