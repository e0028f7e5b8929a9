"""Correcting and retracting an event, and the further record by which anything takes an event's place."""

from datetime import UTC, datetime

from billing.storage.caseless import folded_copy
from usage.commands import KEEP, CorrectUsage, RecordById, RecordByKey, RetractUsage
from usage.ledger.events.matching import owner_to_be
from usage.ledger.lines.changing import live_records, what_stays
from usage.ledger.locks import Moved, lock_customers, lock_events, lock_names, next_id, settled
from usage.ledger.refusals import QuantityRefused, RecordNotFound
from usage.ledger.values import RecordedEvent, adapt_properties
from usage.models import UsageRecord


@settled
def correct_event(*, command: CorrectUsage, recorded_at: datetime) -> RecordedEvent:
    """Append an event that supersedes another with the same key and return it; raise ``UnableToRecord``.

    It may have happened at another time or have other properties. It stays the customer's whom its alias named.
    """
    if command.quantity is not KEEP:
        raise QuantityRefused("An event has no quantity: correct its properties.")
    former, late_before = _lock(command.origin.workspace_id, command.target)
    properties = former.properties
    if command.properties is not KEEP:
        properties = command.properties
        adapt_properties(properties)
    change = UsageRecord(
        kind=UsageRecord.Kind.CORRECTION,
        occurred_at=former.occurred_at if command.occurred_at is KEEP else command.occurred_at.astimezone(UTC),
        properties=properties,
        **what_stays(former, command, recorded_at),
    )
    return supersede_event(former, change, late_before=late_before)


@settled
def retract_event(*, command: RetractUsage, recorded_at: datetime) -> RecordedEvent:
    """Append a record that takes an event back and return it; raise ``RecordNotFound``."""
    former, late_before = _lock(command.origin.workspace_id, command.target)
    change = UsageRecord(
        kind=UsageRecord.Kind.RETRACTION,
        occurred_at=former.occurred_at,
        properties=former.properties,
        **what_stays(former, command, recorded_at),
    )
    return supersede_event(former, change, late_before=late_before)


def _lock(workspace_id: int, target: RecordById | RecordByKey) -> tuple[UsageRecord, datetime | None]:
    """Return the live event, its customer or name locked, and the moment before which a change of it is late."""
    events = live_records(workspace_id, target).filter(line=None)
    former = events.first()
    if former is None:
        raise RecordNotFound("There is no such usage.")
    owner = None if former.customer_id else owner_to_be(former)
    if owner is None:
        return former, lock_events(former)
    # It is the customer's already, but for the record that says so.
    late_before = max(lock_customers([owner], workspace_id=workspace_id), default=None)
    lock_names(workspace_id, [str(former.customer_alias)])
    if owner_to_be(former) != owner:
        raise Moved
    former.customer_id = owner
    return former, late_before


def supersede_event(former: UsageRecord, change: UsageRecord, *, late_before: datetime | None) -> RecordedEvent:
    """Append what takes an event's place; the caller holds the locks of both, ``lock_events``.

    Raises ``Moved`` where something else has taken its place since it was read, since those locks are shared.
    """
    change.pk = next_id()
    change.folded = folded_copy(change.properties)
    change.is_late = late_before is not None and min(former.occurred_at, change.occurred_at) < late_before
    # The former first: only one live record may have the key. The foreign key is checked at commit.
    live = UsageRecord.objects.filter(workspace_id=former.workspace_id, pk=former.pk, superseded_by=None)
    if not live.update(superseded_by_id=change.pk):
        raise Moved
    change.save(force_insert=True)
    return RecordedEvent(
        id=change.pk,
        handle=change.handle,
        key=change.key,
        customer_id=change.customer_id,
        customer_alias=str(change.customer_alias),
        event_type=str(change.event_type),
        occurred_at=change.occurred_at,
        recorded_at=change.recorded_at,
        properties=change.properties,
        is_late=change.is_late,
    )
