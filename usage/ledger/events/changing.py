"""Correct and retract an event by a further record that supersedes it."""

from datetime import UTC, datetime
from typing import Any

from usage.commands import KEEP, CorrectUsage, RecordById, RecordByKey, RetractUsage
from usage.ledger.events.matching import receiver_of
from usage.ledger.locks import Overtaken, lock_customers, lock_events, lock_names, retry_when_overtaken
from usage.ledger.refusals import QuantityRefused, RecordNotFound
from usage.ledger.store import live_records, successor, supersede
from usage.ledger.values import RecordedEvent, adapt_properties
from usage.models import UsageRecord


@retry_when_overtaken
def correct_event(*, command: CorrectUsage, recorded_at: datetime) -> RecordedEvent:
    """Append an event that supersedes another with the same key and return it; raise ``UnableToRecord``.

    It may have another time or other properties. It stays with the customer that its alias resolved to.
    """
    if command.quantity is not KEEP:
        raise QuantityRefused("An event has no quantity: correct its properties.")
    former, open_from_at = _lock(command.origin.workspace_id, command.target)
    changes: dict[str, Any] = {}
    if command.occurred_at is not KEEP:
        changes["occurred_at"] = command.occurred_at.astimezone(UTC)
    if command.properties is not KEEP:
        adapt_properties(command.properties)
        changes["properties"] = command.properties
    change = successor(
        former,
        kind=UsageRecord.Kind.CORRECTION,
        origin=command.origin,
        recorded_at=recorded_at,
        note=command.note,
        **changes,
    )
    supersede(former, change, open_from_at=open_from_at)
    return RecordedEvent.of(change)


@retry_when_overtaken
def retract_event(*, command: RetractUsage, recorded_at: datetime) -> RecordedEvent:
    """Append a record that retracts an event and return it; raise ``RecordNotFound``."""
    former, open_from_at = _lock(command.origin.workspace_id, command.target)
    change = successor(
        former,
        kind=UsageRecord.Kind.RETRACTION,
        origin=command.origin,
        recorded_at=recorded_at,
        note=command.note,
    )
    supersede(former, change, open_from_at=open_from_at)
    return RecordedEvent.of(change)


def _lock(workspace_id: int, target: RecordById | RecordByKey) -> tuple[UsageRecord, datetime | None]:
    """Return the live event, with its customer or name locked, and the start of the customer's open periods."""
    events = live_records(workspace_id, target).filter(line=None)
    former = events.first()
    if former is None:
        raise RecordNotFound
    receiver = None if former.customer_id else receiver_of(former)
    if receiver is None:
        return former, lock_events(former)
    # A job is about to match it: treat it as the customer's, so that the change does not stay unmatched.
    open_from_at = lock_customers([receiver], workspace_id=workspace_id).get(receiver)
    lock_names(workspace_id, [str(former.customer_alias)])
    if receiver_of(former) != receiver:
        raise Overtaken
    former.customer_id = receiver
    return former, open_from_at
