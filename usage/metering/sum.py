"""The aggregation of counters: the total of a period's records."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from usage.metering.aggregation import Measured
from usage.metering.sql import OF_WINDOW, total_of, windows_table
from usage.metering.window import Measurement, Window

_QUERY = f"""
WITH w AS ({{windows}})
SELECT w.n, {{total}}, COUNT(*)
FROM w CROSS JOIN usage_usagerecord r
WHERE {OF_WINDOW}
GROUP BY w.n
"""


def measure_sum(windows: Sequence[Window]) -> dict[int, Measurement]:
    """Return per position the exact total and the number of records; positions without records are omitted."""
    table, parameters = windows_table(windows)
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(windows=table, total=total_of("r.quantity")), parameters)
        return {n: Measurement(Decimal(quantity), count) for n, quantity, count in cursor.fetchall()}


SUM = Measured(
    name="sum",
    label="Counter: total of the period",
    short_label="counter",
    help="how much was used",
    colour="info",
    takes_usage=True,
    may_be_negative=True,
    takes_limits=True,
    measure=measure_sum,
)
