"""Correct and retract a line's record by a further record that supersedes it."""

from datetime import UTC, datetime

from django.db import transaction

from billing.models import Line
from usage.commands import KEEP, CorrectUsage, RecordById, RecordByKey, RetractUsage
from usage.ledger.lines.acceptance import LineFacts, accept
from usage.ledger.lines.hard_limit import check_change
from usage.ledger.refusals import RecordNotFound
from usage.ledger.store import live_records, successor, supersede
from usage.ledger.values import Recorded, adapt_properties, exact_quantity
from usage.models import UsageRecord


@transaction.atomic
def correct(*, command: CorrectUsage, recorded_at: datetime) -> Recorded:
    """Append a record that supersedes another with the same key and return it; raise ``UnableToRecord``.

    The former keeps its row. Usage that was billed can be corrected too: the next close bills the difference.
    """
    former, line = _lock(command.origin.workspace_id, command.target)
    quantity = exact_quantity(former.quantity if command.quantity is KEEP else command.quantity)
    occurred_at = former.occurred_at if command.occurred_at is KEEP else command.occurred_at.astimezone(UTC)
    accept([LineFacts.of(line)], quantity=quantity, occurred_at=occurred_at)
    check_change(line=line, former=former, quantity=quantity, occurred_at=occurred_at)
    if command.properties is not KEEP:
        adapt_properties(command.properties)
    change = successor(
        former,
        kind=UsageRecord.Kind.CORRECTION,
        origin=command.origin,
        recorded_at=recorded_at,
        note=command.note,
        quantity=quantity,
        occurred_at=occurred_at,
        properties=former.properties if command.properties is KEEP else command.properties,
    )
    return _supersede(former, line, change)


@transaction.atomic
def retract(*, command: RetractUsage, recorded_at: datetime) -> Recorded:
    """Append a record that retracts another and return it; raise ``RecordNotFound``.

    The retraction keeps the key, so that a late retry of the first request does not record the usage again.
    """
    former, line = _lock(command.origin.workspace_id, command.target)
    change = successor(
        former,
        kind=UsageRecord.Kind.RETRACTION,
        origin=command.origin,
        recorded_at=recorded_at,
        note=command.note,
    )
    return _supersede(former, line, change)


def _lock(workspace_id: int, target: RecordById | RecordByKey) -> tuple[UsageRecord, Line]:
    """Return the live record and its line, locked against closing and other changes, but not against new records."""
    records = live_records(workspace_id, target).filter(line__isnull=False)
    line_id = records.values_list("line_id", flat=True).first()
    if line_id is None:
        raise RecordNotFound
    lines = Line.objects.select_for_update(of=("self",), no_key=True).select_related("brick", "workspace")
    line = lines.get(workspace_id=workspace_id, pk=line_id)
    former = records.first()
    if former is None:
        raise RecordNotFound
    return former, line


def _supersede(former: UsageRecord, line: Line, change: UsageRecord) -> Recorded:
    supersede(former, change, open_from_at=line.open_from_at)
    return Recorded(
        id=change.pk,
        handle=change.handle,
        line_id=line.pk,
        line_number=line.number,
        line_reference=line.reference,
        quantity=exact_quantity(change.quantity),
        occurred_at=change.occurred_at,
        recorded_at=change.recorded_at,
        source=change.source,
        is_late=change.is_late,
    )
