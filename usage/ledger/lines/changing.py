"""Correcting and retracting a line's record: a further record that supersedes the former one."""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.models import Line
from usage.commands import KEEP, CorrectUsage, RecordById, RecordByKey, RetractUsage
from usage.ledger.lines import hard_limit as limits
from usage.ledger.locks import next_id
from usage.ledger.refusals import OutsideLine, QuantityRefused, RecordNotFound
from usage.ledger.values import Recorded, adapt_properties, exact_quantity, life
from usage.models import UsageRecord


@transaction.atomic
def correct(*, command: CorrectUsage, recorded_at: datetime) -> Recorded:
    """Append a record that supersedes another with the same key and return it; raise ``UnableToRecord``.

    The former keeps its row. Also for usage that was billed: the difference is billed by the next close.
    """
    former, line = _lock(command.origin.workspace_id, command.target)
    quantity = exact_quantity(former.quantity if command.quantity is KEEP else command.quantity)
    occurred_at = former.occurred_at if command.occurred_at is KEEP else command.occurred_at.astimezone(UTC)
    if occurred_at < line.starts_at or (line.ends_at and line.ends_at <= occurred_at):
        raise OutsideLine([life(line)])
    if quantity < 0 and not line.brick.metering.may_be_negative:
        raise QuantityRefused(f"A {line.brick.metering.short_label} can't be negative.")
    limits.check_change(line=line, former=former, quantity=quantity, occurred_at=occurred_at)
    properties = former.properties
    if command.properties is not KEEP:
        properties = command.properties
        adapt_properties(properties)
    return _supersede(
        former,
        line,
        UsageRecord(
            kind=UsageRecord.Kind.CORRECTION,
            quantity=quantity,
            occurred_at=occurred_at,
            properties=properties,
            **what_stays(former, command, recorded_at),
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
            **what_stays(former, command, recorded_at),
        ),
    )


def what_stays(former: UsageRecord, command: CorrectUsage | RetractUsage, recorded_at: datetime) -> dict[str, Any]:
    """Return the fields of a change that are the former record's, and those that say who made it."""
    return {
        "workspace_id": former.workspace_id,
        "line_id": former.line_id,
        "customer_id": former.customer_id,
        "customer_alias": former.customer_alias,
        "event_type": former.event_type,
        "recorded_at": recorded_at,
        "source": command.origin.source,
        "dialect": former.dialect,
        "key": former.key,
        "recorded_by": command.origin.recorded_by,
        "note": command.note,
        "origin_id": former.handle,
    }


def live_records(workspace_id: int, target: RecordById | RecordByKey) -> QuerySet[UsageRecord]:
    """Return the record that a target names and that counts now, or none."""
    match target:
        case RecordById(record_id):
            wanted = Q(pk=record_id) | Q(origin_id=record_id)
        case RecordByKey(dialect, key):
            wanted = Q(dialect=dialect, key=key)
    return UsageRecord.objects.live().filter(wanted, workspace_id=workspace_id)


def _lock(workspace_id: int, target: RecordById | RecordByKey) -> tuple[UsageRecord, Line]:
    """Return the live record and its line, locked against closing and other changes, but not against new records."""
    records = live_records(workspace_id, target).filter(line__isnull=False)
    line_id = records.values_list("line_id", flat=True).first()
    if line_id is None:
        raise RecordNotFound("There is no such usage.")
    lines = Line.objects.select_for_update(of=("self",), no_key=True).select_related("brick")
    line = lines.get(workspace_id=workspace_id, pk=line_id)
    former = records.first()
    if former is None:
        raise RecordNotFound("There is no such usage.")
    return former, line


def _supersede(former: UsageRecord, line: Line, change: UsageRecord) -> Recorded:
    change.pk = next_id()
    change.is_late = min(former.occurred_at, change.occurred_at) < line.open_from_at
    # The former first: only one live record may have the key. The foreign key is checked at commit.
    UsageRecord.objects.filter(workspace_id=former.workspace_id, pk=former.pk).update(superseded_by_id=change.pk)
    change.save(force_insert=True)
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
