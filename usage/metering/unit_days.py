"""The aggregation of gauges: each value times the days it stood, until the next value or the end of the window.

The window opens with the last value before it, of the line itself or of a line that it carries on. Days are durations,
not calendar days: microseconds / 86,400,000,000, so that a day of 23 hours counts 23/24.
"""

from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from billing.money import EXACT, round_quantity
from usage.metering.aggregation import Measured
from usage.metering.opening import OPENING
from usage.metering.sql import OF_WINDOW, windows_table
from usage.metering.window import Measurement, Window

MICROSECONDS_A_DAY = Decimal(86_400_000_000)

# The opening record precedes the window's own records; its span begins at the window's start.
_QUERY = f"""
WITH w AS ({{windows}}),
{OPENING},
settings AS (
    SELECT opening.n, opening.ends_at, opening.starts_at AS stands_from, 0 AS counted,
        r.occurred_at, r.id, r.quantity
    FROM opening JOIN usage_usagerecord r ON r.workspace_id = opening.workspace_id AND r.id = opening.record_id
    UNION ALL
    SELECT w.n, w.ends_at, r.occurred_at, 1, r.occurred_at, r.id, r.quantity
    FROM w CROSS JOIN usage_usagerecord r
    WHERE {OF_WINDOW}
),
spans AS (
    SELECT n, counted, quantity, stands_from,
        LEAD(stands_from, 1, ends_at) OVER (PARTITION BY n ORDER BY occurred_at, id) AS stands_until
    FROM settings
)
SELECT n, {{total}}, SUM(counted) FROM spans GROUP BY n
"""

_TOTAL = {
    "postgresql": "SUM(quantity * (EXTRACT(EPOCH FROM stands_until - stands_from) * 1000000)::bigint)",
    "sqlite": "exact_sum_product(quantity, django_timestamp_diff(stands_until, stands_from))",
}


def measure_unit_days(windows: Sequence[Window]) -> dict[int, Measurement]:
    """Return per position the unit-days, rounded once to 9 places, and the number of records in the window."""
    table, parameters = windows_table(windows)
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(windows=table, total=_TOTAL[connection.vendor]), parameters)
        return {
            n: Measurement(round_quantity(EXACT.divide(Decimal(total), MICROSECONDS_A_DAY)), int(count))
            for n, total, count in cursor.fetchall()
        }


UNIT_DAYS = Measured(
    name="unit_days",
    label="Gauge: value x days it stood",
    short_label="gauge",
    help="the value from this moment on",
    colour="success",
    unit_suffix=" × days",
    takes_usage=True,
    stands_on=True,
    measure=measure_unit_days,
)
