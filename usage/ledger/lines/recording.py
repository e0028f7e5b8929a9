"""Record usage of a line: with one statement, or in a short transaction if the line has a hard limit."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from usage.commands import LineByNumber, RecordUsage
from usage.ledger.lateness import late
from usage.ledger.lines import acceptance
from usage.ledger.lines.acceptance import IS_BOUNDED, LineFacts, accept
from usage.ledger.lines.address import Address, Condition, conditions
from usage.ledger.lines.hard_limit import Totals, lock_bounded
from usage.ledger.lines.loading import find_lines, lock_lines
from usage.ledger.store import UNLESS_KEY_IS_TAKEN, refuse_taken_key
from usage.ledger.values import Recorded, adapt, adapt_properties, exact_quantity


def record(*, command: RecordUsage, recorded_at: datetime) -> Recorded:
    """Append one record and return it: with one statement, unless the line has a hard limit.

    Raises ``UnableToRecord`` for a quantity that does not fit 15 digits before and 9 after the point or is negative on
    a gauge, an unknown or unmetered line, a moment outside its life, a key in use, or a quantity beyond the hard limit.
    If the command accepts a part, the returned quantity may be less than the command's.
    """
    quantity = exact_quantity(command.quantity)
    occurred_at = command.occurred_at.astimezone(UTC)
    recorded = _insert(command, quantity, occurred_at, recorded_at)
    if recorded is None:
        line = _accepting_line(command, quantity, occurred_at)
        recorded = _insert_within_limit(command, line, quantity, occurred_at, recorded_at)
    if recorded is None:
        # Something has changed since the line was checked.
        _accepting_line(command, quantity, occurred_at)
        raise RuntimeError("The ledger refused a record for an unknown reason.")
    return recorded


def hold_lines(*, workspace_id: int, addresses: Collection[Address]) -> None:
    """Lock the lines of addresses as recording does, in one order, until the transaction ends.

    For callers that record several in one transaction: if lines were locked one by one, two transactions with the same
    lines in different orders would deadlock. Addresses without a line are ignored.
    """
    lines = lock_lines(workspace_id, addresses)
    if bounded := lines.bounded_ids():
        lock_bounded(bounded, workspace_id=workspace_id)


def _accepting_line(command: RecordUsage, quantity: Decimal, occurred_at: datetime) -> LineFacts:
    """Return the line that takes the usage, without checking hard limits; raise ``UnableToRecord`` with the reason."""
    found = find_lines(command.origin.workspace_id, [command.address])
    line = accept(found.at(command.address), quantity=quantity, occurred_at=occurred_at)
    refuse_taken_key(origin=command.origin, key=command.key)
    return line


def _insert(
    command: RecordUsage,
    quantity: Decimal,
    occurred_at: datetime,
    recorded_at: datetime,
    *,
    bounded: LineFacts | None = None,
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
    command: RecordUsage, line: LineFacts, quantity: Decimal, occurred_at: datetime, recorded_at: datetime
) -> Recorded | None:
    totals = Totals([(line.id, occurred_at)], workspace_id=command.origin.workspace_id)
    permitted = totals.permit(
        line_id=line.id, quantity=quantity, occurred_at=occurred_at, accepts_part=command.accepts_part
    )
    return _insert(command, permitted, occurred_at, recorded_at, bounded=line)


# PostgreSQL executes the row lock below the projection that generates the id: first the lock, then the id. After
# waiting for a close, the row is read again, so that the line's life and the lateness are those after the close.
_INSERT = f"""
INSERT INTO usage_usagerecord
    (workspace_id, line_id, quantity, occurred_at, recorded_at, is_late,
     kind, source, dialect, key, recorded_by, note, properties)
SELECT line.workspace_id, line.id, %s, %s, %s, {late(moment="%s", open_from_at="line.open_from_at")},
    'entry', %s, %s, %s, %s, %s, %s
FROM billing_line line
    JOIN billing_brick brick ON brick.workspace_id = line.workspace_id AND brick.id = line.brick_id
WHERE line.workspace_id = %s AND {{is_addressed}}
    AND {{accepts}}
    AND (%s OR NOT {IS_BOUNDED})
{{lock}}
{UNLESS_KEY_IS_TAKEN}
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
    """Return the statement that locks the line, generates the id and inserts, with its parameters.

    It skips lines with a hard limit if the quantity adds to their total, unless the caller has checked the limit.
    """
    is_addressed, names = where
    moment = adapt("occurred_at", occurred_at)
    accepts, facts = acceptance.condition(quantity=quantity, moment=moment)
    lock = "FOR KEY SHARE OF line" if connection.vendor == "postgresql" else ""
    origin = command.origin
    return _INSERT.format(is_addressed=is_addressed, accepts=accepts, lock=lock), [
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
        *facts,
        is_within_limit or quantity <= 0,
    ]
