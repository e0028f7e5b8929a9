"""The counter: the total of a period."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import connection

from usage.metering.measurement import Measurement
from usage.metering.sql import LIVE, windows_table

if TYPE_CHECKING:
    from usage.metering.measure import Window

_QUERY = f"""
WITH w AS ({{windows}})
SELECT w.n, {{sum}}(r.quantity), COUNT(*)
FROM w CROSS JOIN usage_usagerecord r
WHERE r.workspace_id = w.workspace_id AND r.line_id = w.line_id
    AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at
    AND {LIVE.format(window="w")}
GROUP BY w.n
"""


def measure_sum(windows: "Sequence[Window]") -> dict[int, Measurement]:
    """Return per position the exact total and the number of records; positions without records are left out."""
    table, parameters = windows_table(windows)
    total = "SUM" if connection.vendor == "postgresql" else "exact_sum"
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(windows=table, sum=total), parameters)
        return {n: Measurement(Decimal(quantity), count) for n, quantity, count in cursor.fetchall()}
