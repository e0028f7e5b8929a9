"""Recording usage of a line: one statement, or a short transaction where a limit bounds the line."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from billing.aggregations import sql_names
from billing.models import Line
from usage.commands import LineByNumber, RecordUsage
from usage.ledger.lines import hard_limit as limits
from usage.ledger.lines.address import Address, Condition, conditions, lines_at
from usage.ledger.lines.locked import LockedLines
from usage.ledger.refusals import DuplicateKey, LineNotFound, LineNotMetered, OutsideLine, QuantityRefused
from usage.ledger.values import Recorded, adapt, adapt_properties, exact_quantity, life
from usage.models import UsageRecord


def record(*, command: RecordUsage, recorded_at: datetime) -> Recorded:
    """Append one record and return it: in one statement, unless the line has a hard limit.

    Raises ``UnableToRecord``: a quantity that does not fit 15 digits before and 9 after the point or is negative on a
    gauge, an unknown or unmetered line, a moment outside its life, a key that a live record has, a quantity that the
    line's limit does not leave. Where the command accepts a part, the quantity returned may be less than it was.
    """
    quantity = exact_quantity(command.quantity)
    occurred_at = command.occurred_at.astimezone(UTC)
    recorded = _insert(command, quantity, occurred_at, recorded_at)
    if recorded is None:
        line = _line_for(command, quantity, occurred_at)
        recorded = _insert_within_limit(command, line, quantity, occurred_at, recorded_at)
    if recorded is None:
        # Something has changed since the line was looked at.
        _line_for(command, quantity, occurred_at)
        raise RuntimeError("The ledger refused a record without a reason that it can name.")
    return recorded


def hold_lines(*, workspace_id: int, addresses: Collection[Address]) -> None:
    """Lock the lines at some addresses as recording their usage does, all in one order, until the transaction ends.

    For who records several in one transaction: locked in the order in which they are recorded, two of them that name
    the same lines in another order would wait for each other for ever. An address at which there is no line is none.
    """
    lines = LockedLines(workspace_id, addresses)
    if bounded := lines.bounded():
        limits.lock_bounded(bounded, workspace_id=workspace_id)


def _insert(
    command: RecordUsage,
    quantity: Decimal,
    occurred_at: datetime,
    recorded_at: datetime,
    *,
    bounded: Line | None = None,
) -> Recorded | None:
    address = command.address if bounded is None else LineByNumber(bounded.number)
    for where in conditions(address, workspace_id=command.origin.workspace_id, occurred_at=occurred_at):
        statement = insert_entry(
            command, where, quantity, occurred_at, recorded_at, is_within_limit=bounded is not None
        )
        with connection.cursor() as cursor:
            cursor.execute(*statement)
            row = cursor.fetchone()
        if row is not None:
            break
    else:
        return None
    record_id, line_id, is_late, line_number, line_reference = row
    return Recorded(
        id=record_id,
        handle=record_id,
        line_id=line_id,
        line_number=line_number,
        line_reference=line_reference,
        quantity=quantity,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        source=command.origin.source,
        is_late=bool(is_late),
    )


@transaction.atomic
def _insert_within_limit(
    command: RecordUsage, line: Line, quantity: Decimal, occurred_at: datetime, recorded_at: datetime
) -> Recorded | None:
    totals = limits.Totals([(line.pk, occurred_at)], workspace_id=line.workspace_id)
    permitted = totals.permit(
        line_id=line.pk, quantity=quantity, occurred_at=occurred_at, accepts_part=command.accepts_part
    )
    return _insert(command, permitted, occurred_at, recorded_at, bounded=line)


# PostgreSQL puts the row lock below the projection that draws the id: first the lock, then the id. After waiting for a
# close, the row is read again, so that the life and the lateness are those after the close.
_INSERT = """
INSERT INTO usage_usagerecord
    (workspace_id, line_id, quantity, occurred_at, recorded_at, is_late,
     kind, source, dialect, key, recorded_by, note, properties)
SELECT line.workspace_id, line.id, %s, %s, %s, line.open_from_at > %s,
    'entry', %s, %s, %s, %s, %s, %s
FROM billing_line line
    JOIN billing_brick brick ON brick.workspace_id = line.workspace_id AND brick.id = line.brick_id
WHERE line.workspace_id = %s AND {address}
    AND line.starts_at <= %s AND (line.ends_at IS NULL OR line.ends_at > %s)
    AND brick.aggregation IN {takes_usage} AND (brick.aggregation IN {may_be_negative} OR NOT %s)
    AND (%s OR (line.hard_limit_quantity IS NULL AND line.hard_limit_amount IS NULL))
{lock}
ON CONFLICT (workspace_id, dialect, key) WHERE key IS NOT NULL AND superseded_by_id IS NULL DO NOTHING
RETURNING id, line_id, is_late,
    (SELECT l.number FROM billing_line l WHERE l.workspace_id = usage_usagerecord.workspace_id AND l.id = line_id),
    (SELECT l.reference FROM billing_line l WHERE l.workspace_id = usage_usagerecord.workspace_id AND l.id = line_id)
"""


def insert_entry(
    command: RecordUsage,
    where: Condition,
    quantity: Decimal,
    occurred_at: datetime,
    recorded_at: datetime,
    *,
    is_within_limit: bool = False,
) -> tuple[str, list[Any]]:
    """Return the one statement that locks the line, draws the id and inserts, with its parameters.

    It leaves lines with a hard limit alone where the quantity adds to their total, unless the caller has seen to that.
    """
    address, names = where
    moment = adapt("occurred_at", occurred_at)
    origin = command.origin
    statement = _INSERT.format(
        address=address,
        takes_usage=sql_names("takes_usage"),
        may_be_negative=sql_names("may_be_negative"),
        lock="FOR KEY SHARE OF line" if connection.vendor == "postgresql" else "",
    )
    return statement, [
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
        *names,
        moment,
        moment,
        quantity < 0,
        is_within_limit or quantity <= 0,
    ]


def _line_for(command: RecordUsage, quantity: Decimal, occurred_at: datetime) -> Line:
    """Return the line that a record goes to, limits aside, or raise why none takes it."""
    found = lines_at(command.address, workspace_id=command.origin.workspace_id)
    if not found:
        raise LineNotFound("There is no such line.")
    if found[0].brick.metering.takes_events:
        raise LineNotMetered("This line counts events: it takes no usage of its own.")
    if not found[0].brick.is_metered:
        raise LineNotMetered("This line is not metered: it takes no usage.")
    active = [
        line for line in found if line.starts_at <= occurred_at and not (line.ends_at and line.ends_at <= occurred_at)
    ]
    if not active:
        raise OutsideLine(map(life, found))
    if len(active) > 1:
        raise LineNotFound("This subscription has several lines that take usage: name one of them.")
    if quantity < 0 and not active[0].brick.metering.may_be_negative:
        raise QuantityRefused(f"A {active[0].brick.metering.short_label} can't be negative.")
    _refuse_duplicate(command)
    return active[0]


def _refuse_duplicate(command: RecordUsage) -> None:
    if command.key is None:
        return
    same = UsageRecord.objects.filter(
        workspace_id=command.origin.workspace_id,
        dialect=command.origin.dialect,
        key=command.key,
        superseded_by=None,
    ).first()
    if same is not None:
        raise DuplicateKey("Usage with this id was recorded already.", record_id=same.handle)
