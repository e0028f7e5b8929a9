"""Move the pointers of closing: the first open period of subscriptions and lines, and the cutoff of lines."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.aggregations import sql_names
from billing.storage import rows


def move_pointers(
    *, workspace_id: int, pointers: Sequence[tuple[UUID, datetime, datetime | None]], cutoff: int
) -> None:
    """Set the first open period of subscriptions and of their lines, and the cutoff of those lines.

    ``pointers``: (subscription id, start and end of its first open period); the end is None if all periods are closed.
    """
    if not pointers:
        return
    among, ids = rows.among([pk for pk, _, _ in pointers])
    given = rows.parameter({"id": pk, "open_from_at": opens, "next_close_at": closes} for pk, opens, closes in pointers)
    with connection.cursor() as cursor:
        statement = _MOVE_ALL.format(given=rows.table("given", _POINTERS), among=among)
        cursor.execute(statement, [given, workspace_id, *ids])
        cursor.execute(_MOVE_LINES.format(among=among), [cutoff, workspace_id, *ids])


# Also filter by ids: PostgreSQL assumes 100 rows of JSON input, and would scan the whole table for one row.
_POINTERS = {"id": "uuid", "open_from_at": "timestamptz", "next_close_at": "timestamptz"}
_MOVE_ALL = """
UPDATE billing_subscription SET open_from_at = given.open_from_at, next_close_at = given.next_close_at
FROM {given}
WHERE billing_subscription.id = given.id AND billing_subscription.workspace_id = %s
    AND billing_subscription.id {among}
"""
_MOVE_LINES = """
UPDATE billing_line SET cutoff = %s,
    open_from_at = (
        SELECT s.open_from_at FROM billing_subscription s
        WHERE s.id = subscription_id AND s.workspace_id = billing_line.workspace_id
    )
WHERE workspace_id = %s AND subscription_id {among}
"""


def move_event_pointers(*, workspace_id: int, customer_ids: Collection[UUID]) -> None:
    """Set the moment from which the customers' events fall in open periods of all their lines.

    The caller holds the customers' locks. The moment never moves back: an event that is needlessly marked late is only
    measured again, with no effect.
    """
    among, ids = rows.among(list(customer_ids))
    with connection.cursor() as cursor:
        statement = _MOVE_CUSTOMERS.format(among=among, takes_events=sql_names("takes_events"))
        cursor.execute(statement, [workspace_id, *ids])


_MOVE_CUSTOMERS = """
UPDATE billing_customer SET events_open_from_at = opened.moment
FROM (
    SELECT s.workspace_id, s.customer_id, MAX(l.open_from_at) AS moment
    FROM billing_subscription s
        JOIN billing_line l ON l.subscription_id = s.id AND l.workspace_id = s.workspace_id
        JOIN billing_brick b ON b.id = l.brick_id AND b.workspace_id = l.workspace_id
            AND b.aggregation IN {takes_events}
    WHERE s.workspace_id = %s AND s.customer_id {among} AND l.open_from_at > l.starts_at
    GROUP BY s.workspace_id, s.customer_id
) AS opened
WHERE billing_customer.id = opened.customer_id AND billing_customer.workspace_id = opened.workspace_id
    AND (billing_customer.events_open_from_at IS NULL OR billing_customer.events_open_from_at < opened.moment)
"""
