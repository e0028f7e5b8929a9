"""The only writer of ``UsageRecord``: record, correct, retract.

A record draws its ledger id while it holds a lock on its line that closing's lock excludes. Whoever holds closing's
lock on a line therefore knows that every record of the line with an id up to the ledger's last one is committed and
visible, and that every later one will have a greater id: that number is the line's cutoff.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Q

from billing.jsontext import can_be_kept, encode
from billing.models import Brick, Line
from billing.money import EXACT
from usage.commands import (
    KEEP,
    CorrectUsage,
    LineByBrick,
    LineById,
    RecordById,
    RecordByKey,
    RecordUsage,
    RetractUsage,
)
from usage.models import UsageRecord

DIGITS_BEFORE_POINT = 15
DIGITS_AFTER_POINT = 9


class UnableToRecord(Exception):
    """Usage that the ledger does not take. ``field`` is the canonical name of what is wrong."""

    field: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QuantityRefused(UnableToRecord):
    field = "quantity"


class LineNotFound(UnableToRecord):
    """The workspace has no such line, or no such brick in such a subscription."""

    field = "line"


class LineNotMetered(UnableToRecord):
    field = "line"


class OutsideLine(UnableToRecord):
    """The line was not active when the usage occurred."""

    field = "occurred_at"


class DuplicateKey(UnableToRecord):
    """A live record of the same workspace and dialect has this key."""

    field = "key"

    def __init__(self, message: str, *, record_id: int) -> None:
        super().__init__(message)
        self.record_id = record_id


class PropertiesRefused(UnableToRecord):
    field = "properties"


class RecordNotFound(UnableToRecord):
    """The workspace has no such record, or it was retracted."""

    field = "record"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger took. ``handle`` is the id to tell the sender; times are UTC."""

    id: int
    handle: int
    line_id: int
    quantity: Decimal
    occurred_at: datetime
    recorded_at: datetime
    source: str
    is_late: bool


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


def exact_quantity(quantity: Decimal | None) -> Decimal:
    """Return the quantity as the ledger keeps it; raise ``QuantityRefused`` where it would not be kept exactly."""
    if not isinstance(quantity, Decimal) or not quantity.is_finite():
        raise QuantityRefused("A valid number is required.")
    if quantity and quantity.adjusted() >= DIGITS_BEFORE_POINT:
        raise QuantityRefused(
            f"Ensure that there are no more than {DIGITS_BEFORE_POINT} digits before the decimal point."
        )
    exact = quantity.quantize(Decimal(1).scaleb(-DIGITS_AFTER_POINT), context=EXACT)
    if exact != quantity:
        raise QuantityRefused(f"Ensure that there are no more than {DIGITS_AFTER_POINT} decimal places.")
    return exact


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
            ids = [_adapt("subscription_id", subscription_id, Line), _adapt("brick_id", brick_id, Line)]
    moment = _adapt("occurred_at", occurred_at)
    origin = command.origin
    return _INSERT.format(address=address, lock="FOR KEY SHARE OF line" if connection.vendor == "postgresql" else ""), [
        _adapt("quantity", quantity),
        moment,
        _adapt("recorded_at", recorded_at),
        moment,
        origin.source,
        origin.dialect,
        command.key,
        origin.recorded_by,
        command.note,
        _adapt_properties(command.properties),
        origin.workspace_id,
        *ids,
        moment,
        moment,
        quantity < 0,
    ]


def _adapt(field: str, value: Any, model: type = UsageRecord) -> Any:
    return model._meta.get_field(field).get_db_prep_value(value, connection)  # type: ignore[attr-defined]


def _adapt_properties(properties: Any) -> Any:
    if properties is None:
        return None
    if not can_be_kept(properties):
        raise PropertiesRefused("These properties are nested too deeply, or hold a number with too many digits.")
    try:
        encode(properties)
    except (ValueError, TypeError, RecursionError) as error:
        raise PropertiesRefused("These properties can't be stored.") from error
    return _adapt("properties", properties)


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
        return OutsideLine(f"The line was not active then, only {' and '.join(map(_life, found))}.")
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


def _life(line: Line) -> str:
    until = f" until {line.workspace.local(line.ends_at)}" if line.ends_at else ""
    return f"from {line.workspace.local(line.starts_at)}{until}"


@transaction.atomic
def correct(*, command: CorrectUsage, recorded_at: datetime) -> Recorded:
    """Append a record that supersedes another with the same key and return it; raise ``UnableToRecord``.

    The former keeps its row. Also for usage that was billed: the difference is billed by the next close.
    """
    former, line = _lock(command.origin.workspace_id, command.target)
    quantity = exact_quantity(former.quantity if command.quantity is KEEP else command.quantity)
    occurred_at = former.occurred_at if command.occurred_at is KEEP else command.occurred_at.astimezone(UTC)
    if occurred_at < line.starts_at or (line.ends_at and line.ends_at <= occurred_at):
        raise OutsideLine(f"The line was not active then, only {_life(line)}.")
    if quantity < 0 and line.brick.aggregation == Brick.Aggregation.UNIT_DAYS:
        raise QuantityRefused("A gauge can't be negative.")
    properties = former.properties if command.properties is KEEP else command.properties
    _adapt_properties(properties)
    return _supersede(
        former,
        line,
        UsageRecord(
            kind=UsageRecord.Kind.CORRECTION,
            quantity=quantity,
            occurred_at=occurred_at,
            properties=properties,
            **_change(former, command, recorded_at),
        ),
    )


@transaction.atomic
def retract(*, command: RetractUsage, recorded_at: datetime) -> Recorded:
    """Append a record that takes another back and return it; raise ``RecordNotFound``.

    The retraction keeps the key, so that a late retry of the first request does not bring the usage back.
    """
    former, line = _lock(command.origin.workspace_id, command.target)
    return _supersede(
        former,
        line,
        UsageRecord(
            kind=UsageRecord.Kind.RETRACTION,
            quantity=former.quantity,
            occurred_at=former.occurred_at,
            properties=former.properties,
            **_change(former, command, recorded_at),
        ),
    )


def _change(former: UsageRecord, command: CorrectUsage | RetractUsage, recorded_at: datetime) -> dict[str, Any]:
    return {
        "workspace_id": former.workspace_id,
        "line_id": former.line_id,
        "recorded_at": recorded_at,
        "source": command.origin.source,
        "dialect": former.dialect,
        "key": former.key,
        "recorded_by": command.origin.recorded_by,
        "note": command.note,
        "origin_id": former.handle,
    }


def _lock(workspace_id: int, target: RecordById | RecordByKey) -> tuple[UsageRecord, Line]:
    """Return the live record and its line, locked against closing and other changes, but not against new records."""
    match target:
        case RecordById(record_id):
            wanted = Q(pk=record_id) | Q(origin_id=record_id)
        case RecordByKey(dialect, key):
            wanted = Q(dialect=dialect, key=key)
    records = UsageRecord.objects.live().filter(wanted, workspace_id=workspace_id, line__isnull=False)
    line_id = records.values_list("line_id", flat=True).first()
    if line_id is None:
        raise RecordNotFound("There is no such usage.")
    line = Line.objects.select_for_update(of=("self",), no_key=True).select_related("brick").get(pk=line_id)
    former = records.first()
    if former is None:
        raise RecordNotFound("There is no such usage.")
    return former, line


def _supersede(former: UsageRecord, line: Line, change: UsageRecord) -> Recorded:
    change.pk = _next_id()
    change.is_late = min(former.occurred_at, change.occurred_at) < line.open_from_at
    # The former first: only one live record may have the key. The foreign key is checked at commit.
    UsageRecord.objects.filter(pk=former.pk).update(superseded_by_id=change.pk)
    change.save(force_insert=True)
    return Recorded(
        id=change.pk,
        handle=change.handle,
        line_id=line.pk,
        quantity=exact_quantity(change.quantity),
        occurred_at=change.occurred_at,
        recorded_at=change.recorded_at,
        source=change.source,
        is_late=change.is_late,
    )


def _next_id() -> int:
    table = UsageRecord._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        else:
            cursor.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = %s", [table])
        return int(cursor.fetchone()[0])


def last_id() -> int:
    """Return the ledger's highest id: the cutoff of every line on which the caller holds closing's lock."""
    return UsageRecord.objects.aggregate(last=Max("id"))["last"] or 0


def objection_to_ending(line: Line, ends_at: datetime) -> str | None:
    """Say why a line may not end at a moment: usage was recorded after it, which would count no longer."""
    later = UsageRecord.objects.live().filter(line=line, occurred_at__gte=ends_at)
    last = later.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    return None if last is None else f"Usage was recorded up to {line.workspace.local(last)}: retract it first."
