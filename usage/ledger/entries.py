"""Recording usage of a line: one statement."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.models import Brick, Line
from usage.commands import LineByBrick, LineById, RecordUsage
from usage.ledger.errors import DuplicateKey, LineNotFound, LineNotMetered, OutsideLine, QuantityRefused, UnableToRecord
from usage.ledger.values import Recorded, adapt, adapt_properties, exact_quantity, life
from usage.models import UsageRecord


def record(*, command: RecordUsage, recorded_at: datetime) -> Recorded:
    """Append one record in one statement and return it.

    Raises ``UnableToRecord``: a quantity that does not fit 15 digits before and 9 after the point or is negative on a
    gauge, an unknown or unmetered line, a moment outside its life, a key that a live record has.
    """
    quantity = exact_quantity(command.quantity)
    occurred_at = command.occurred_at.astimezone(UTC)
    with connection.cursor() as cursor:
        cursor.execute(*insert_entry(command, quantity, occurred_at, recorded_at))
        row = cursor.fetchone()
    if row is None:
        raise _why_not(command, quantity, occurred_at)
    record_id, line_id, is_late = row
    return Recorded(
        id=record_id,
        handle=record_id,
        line_id=line_id,
        quantity=quantity,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        source=command.origin.source,
        is_late=bool(is_late),
    )


# PostgreSQL puts the row lock below the projection that draws the id: first the lock, then the id. After waiting for a
# close, the row is read again, so that the life and the lateness are those after the close.
_INSERT = """
INSERT INTO usage_usagerecord
    (workspace_id, line_id, quantity, occurred_at, recorded_at, is_late,
     kind, source, dialect, key, recorded_by, note, properties)
SELECT line.workspace_id, line.id, %s, %s, %s, line.open_from_at > %s,
    'entry', %s, %s, %s, %s, %s, %s
FROM billing_line line JOIN billing_brick brick ON brick.id = line.brick_id
WHERE line.workspace_id = %s AND {address}
    AND line.starts_at <= %s AND (line.ends_at IS NULL OR line.ends_at > %s)
    AND brick.aggregation <> 'none' AND (brick.aggregation <> 'unit_days' OR NOT %s)
{lock}
ON CONFLICT (workspace_id, dialect, key) WHERE superseded_by_id IS NULL DO NOTHING
RETURNING id, line_id, is_late
"""


def insert_entry(
    command: RecordUsage, quantity: Decimal, occurred_at: datetime, recorded_at: datetime
) -> tuple[str, list[Any]]:
    """Return the one statement that locks the line, draws the id and inserts, with its parameters."""
    match command.address:
        case LineById(line_id):
            address, ids = "line.id = %s", [line_id]
        case LineByBrick(subscription_id, brick_id):
            address = "line.subscription_id = %s AND line.brick_id = %s"
            ids = [adapt("subscription_id", subscription_id, Line), adapt("brick_id", brick_id, Line)]
    moment = adapt("occurred_at", occurred_at)
    origin = command.origin
    return _INSERT.format(address=address, lock="FOR KEY SHARE OF line" if connection.vendor == "postgresql" else ""), [
        adapt("quantity", quantity),
        moment,
        adapt("recorded_at", recorded_at),
        moment,
        origin.source,
        origin.dialect,
        command.key,
        origin.recorded_by,
        command.note,
        adapt_properties(command.properties),
        origin.workspace_id,
        *ids,
        moment,
        moment,
        quantity < 0,
    ]


def _why_not(command: RecordUsage, quantity: Decimal, occurred_at: datetime) -> UnableToRecord:
    lines = Line.objects.filter(workspace_id=command.origin.workspace_id)
    match command.address:
        case LineById(line_id):
            lines = lines.filter(pk=line_id)
        case LineByBrick(subscription_id, brick_id):
            lines = lines.filter(subscription_id=subscription_id, brick_id=brick_id)
    found = list(lines.select_related("brick", "workspace").order_by("starts_at"))
    if not found:
        return LineNotFound("There is no such line.")
    if not found[0].brick.is_metered:
        return LineNotMetered("This line is not metered: it takes no usage.")
    active = [
        line for line in found if line.starts_at <= occurred_at and not (line.ends_at and line.ends_at <= occurred_at)
    ]
    if not active:
        return OutsideLine(f"The line was not active then, only {' and '.join(map(life, found))}.")
    if quantity < 0 and found[0].brick.aggregation == Brick.Aggregation.UNIT_DAYS:
        return QuantityRefused("A gauge can't be negative.")
    same = UsageRecord.objects.filter(
        workspace_id=command.origin.workspace_id,
        dialect=command.origin.dialect,
        key=command.key,
        superseded_by=None,
    ).first()
    if command.key is not None and same is not None:
        return DuplicateKey("Usage with this id was recorded already.", record_id=same.handle)
    raise RuntimeError("The ledger refused a record without a reason that it can name.")
