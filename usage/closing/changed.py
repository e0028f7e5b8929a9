"""Find closed periods whose records changed after they were counted, exactly, by ledger ids."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet

from billing.aggregations import names, sql_names
from billing.calendar import Period
from billing.models import Line, Workspace
from billing.storage import rows
from usage.metering import CHAIN, IN_ORDER, runs

# The first moment at which a former line has changed since the cutoff of the line that carries on from it.
_FIRST_CHANGE = """(SELECT MIN(CASE WHEN was.occurred_at < r.occurred_at THEN was.occurred_at ELSE r.occurred_at END)
    FROM usage_usagerecord r LEFT JOIN usage_usagerecord was
        ON was.workspace_id = r.workspace_id AND was.superseded_by_id = r.id
    WHERE r.workspace_id = line.workspace_id AND r.line_id = line.id AND r.is_late
        AND r.id > chain.cutoff AND r.id <= %s)"""

# A change affects the period of the late record and that of the record it superseded; for a gauge also every later
# period, including those of lines that carry on the value. An event affects the lines of its customer whose brick
# counts its type, or has counted it. All these periods are measured again: without an effect, the difference is zero.
_CHANGED_PERIODS = f"""
WITH late AS (
    SELECT l.id AS line_id, l.subscription_id, l.brick_id, l.workspace_id, r.id, r.occurred_at
    FROM billing_line l JOIN usage_usagerecord r
        ON r.workspace_id = l.workspace_id AND r.line_id = l.id AND r.is_late AND r.id > l.cutoff AND r.id <= %s
    WHERE l.workspace_id = %s AND l.subscription_id {{among}}
),
asking AS (
    SELECT line.id AS line_id, line.workspace_id, line.subscription_id, line.brick_id, line.cutoff,
        line.starts_at, line.ends_at
    FROM billing_line line JOIN billing_brick b
        ON b.workspace_id = line.workspace_id AND b.id = line.brick_id AND b.aggregation IN {{stands_on}}
    WHERE line.workspace_id = %s AND line.subscription_id {{among}} AND line.carries_on
),
{runs(asked=["line_id"], passed=_FIRST_CHANGE)},
carried AS (
    SELECT workspace_id, line_id, subscription_id, brick_id,
        MIN(passed) OVER (PARTITION BY {CHAIN}, run {IN_ORDER}) AS occurred_at
    FROM runs
),
counting AS (
    SELECT l.id AS line_id, l.subscription_id, l.brick_id, l.workspace_id, l.cutoff, s.customer_id
    FROM billing_line l JOIN billing_brick b
            ON b.workspace_id = l.workspace_id AND b.id = l.brick_id AND b.aggregation IN {{takes_events}}
        JOIN billing_subscription s ON s.workspace_id = l.workspace_id AND s.id = l.subscription_id
    WHERE l.workspace_id = %s AND l.subscription_id {{among}} AND l.open_from_at > l.starts_at
),
since AS (SELECT workspace_id, MIN(cutoff) AS cutoff FROM counting GROUP BY workspace_id),
late_events AS (
    SELECT r.workspace_id, r.id, r.customer_id, r.event_type, r.occurred_at
    FROM since JOIN usage_usagerecord r
        ON r.workspace_id = since.workspace_id AND r.line_id IS NULL AND r.is_late
            AND r.id > since.cutoff AND r.id <= %s
),
touched AS (
    SELECT id, customer_id, event_type, occurred_at FROM late_events
    UNION ALL
    SELECT late_events.id, former.customer_id, former.event_type, former.occurred_at
    FROM late_events JOIN usage_usagerecord former
        ON former.workspace_id = late_events.workspace_id AND former.superseded_by_id = late_events.id
),
moments AS (
    SELECT workspace_id, line_id, subscription_id, brick_id, occurred_at FROM late
    UNION
    SELECT late.workspace_id, late.line_id, late.subscription_id, late.brick_id, former.occurred_at
    FROM late JOIN usage_usagerecord former
        ON former.workspace_id = late.workspace_id AND former.superseded_by_id = late.id
    UNION
    SELECT workspace_id, line_id, subscription_id, brick_id, occurred_at FROM carried
    WHERE line_id IS NOT NULL AND occurred_at IS NOT NULL
    UNION
    SELECT counting.workspace_id, counting.line_id, counting.subscription_id, counting.brick_id, touched.occurred_at
    FROM counting JOIN touched ON touched.customer_id = counting.customer_id AND touched.id > counting.cutoff
        JOIN billing_eventrule rule ON rule.workspace_id = counting.workspace_id
            AND rule.brick_id = counting.brick_id AND rule.event_type = touched.event_type
)
SELECT DISTINCT m.line_id, p.starts_at, p.ends_at
FROM moments m JOIN billing_brick b ON b.workspace_id = m.workspace_id AND b.id = m.brick_id
    JOIN billing_billingperiod p
        ON p.workspace_id = m.workspace_id AND p.subscription_id = m.subscription_id AND p.ends_at > m.occurred_at
        AND (p.starts_at <= m.occurred_at OR b.aggregation IN {{stands_on}})
ORDER BY m.line_id, p.starts_at
"""


def changed_periods(*, workspace_id: int, subscription_ids: Sequence[UUID], cutoff: int) -> dict[int, list[Period]]:
    """Return per line the closed periods whose records changed after the line's cutoff, up to ``cutoff``; one query."""
    found: dict[int, list[Period]] = defaultdict(list)
    if subscription_ids:
        among, ids = rows.among(subscription_ids)
        own = [workspace_id, *ids]
        with connection.cursor() as cursor:
            statement = _CHANGED_PERIODS.format(
                among=among, stands_on=sql_names("stands_on"), takes_events=sql_names("takes_events")
            )
            cursor.execute(statement, [cutoff, *own, *own, cutoff, *own, cutoff])
            for line_id, starts_at, ends_at in cursor.fetchall():
                found[line_id].append(Period(rows.read_moment(starts_at), rows.read_moment(ends_at)))
    return found


def has_changed_events(workspace: Workspace) -> Q:
    """Return the condition that a late event, or one that it superseded, is within an ended subscription's life."""
    counting = Line.objects.filter(
        workspace=workspace, subscription__next_close_at=None, brick__aggregation__in=names("takes_events")
    )
    own, former = (_touched(counting, workspace, late) for late in ("", "superseded_by__"))
    return Q(pk__in=own) | Q(pk__in=former)


def _touched(counting: QuerySet[Line], workspace: Workspace, late: str) -> QuerySet[Any]:
    event = "subscription__customer__usage_records__"
    conditions = {
        "workspace": workspace,
        "event_type": F("brick__event_rules__event_type"),
        "occurred_at__gte": F("starts_at"),
        "occurred_at__lt": F("ends_at"),
        f"{late}workspace": workspace,
        f"{late}line": None,
        f"{late}is_late": True,
        f"{late}id__gt": F("cutoff"),
    }
    return counting.filter(**{event + name: value for name, value in conditions.items()}).values("subscription")
