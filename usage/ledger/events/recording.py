"""Recording events of a customer who is named by an alias: one statement where the alias is known."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction

from billing.models import Customer
from billing.parties import NOBODY
from billing.storage.caseless import folded_copy
from usage.commands import ReportEvent
from usage.ledger.events.changing import supersede_event
from usage.ledger.locks import ATTEMPTS, Moved, as_uuid, lock_events, lock_names
from usage.ledger.refusals import DuplicateKey, TextRefused
from usage.ledger.values import RecordedEvent, adapt, adapt_properties
from usage.models import UsageRecord

MAX_TEXT = 255


def report_event(*, command: ReportEvent, recorded_at: datetime) -> RecordedEvent:
    """Append an event and return it; its ``customer_id`` is None where the alias names nobody, yet.

    An alias, the id or the reference of a customer names that customer, in this order and to the letter. An event
    without a key gets one. Raises ``UnableToRecord``: a text that is empty or longer than 255 characters, properties
    that can't be kept, a key that a live record has where the command does not supersede it.
    """
    event = prepared(command, recorded_at)
    may_supersede = command.supersedes and command.key is not None
    former = None
    for _ in range(ATTEMPTS):
        try:
            recorded = _append(event) if former is None else _supersede(former, event)
        except Moved:
            recorded = None
        if recorded is not None:
            return recorded
        former = _live(event)
        if former is not None and not may_supersede:
            raise _taken(former)
    raise RuntimeError("The ledger refused an event without a reason that it can name.")


class PreparedEvent(NamedTuple):
    """A command that can be kept, with its key, and its moment and properties as the driver takes them.

    ``folded`` has those of its texts that differ without case.
    """

    command: ReportEvent
    key: str
    recorded_at: datetime
    occurred_at: datetime
    moment: Any
    properties: Any
    folded: dict[str, str] | None

    @property
    def workspace_id(self) -> int:
        return self.command.origin.workspace_id

    def recorded(self, record_id: int, *, customer_id: UUID | None, is_late: bool) -> RecordedEvent:
        return RecordedEvent(
            id=record_id,
            handle=record_id,
            key=self.key,
            customer_id=customer_id,
            customer_alias=self.command.customer_alias,
            event_type=self.command.event_type,
            occurred_at=self.occurred_at,
            recorded_at=self.recorded_at,
            properties=self.command.properties,
            is_late=is_late,
        )


def prepared(command: ReportEvent, recorded_at: datetime) -> PreparedEvent:
    """Return a command with the key that its event gets; raise ``UnableToRecord`` where it can't be kept."""
    key = uuid4().hex if command.key is None else command.key
    for field, text in (("customer_alias", command.customer_alias), ("event_type", command.event_type), ("key", key)):
        if not text:
            raise TextRefused("This may not be blank.", field=field)
        if len(text) > MAX_TEXT:
            raise TextRefused(f"Ensure that there are no more than {MAX_TEXT} characters.", field=field)
    occurred_at = command.occurred_at.astimezone(UTC)
    properties = adapt_properties(command.properties)
    moment, folded = adapt("occurred_at", occurred_at), folded_copy(command.properties)
    return PreparedEvent(command, key, recorded_at, occurred_at, moment, properties, folded)


def _live(event: PreparedEvent) -> UsageRecord | None:
    same = UsageRecord.objects.filter(
        workspace_id=event.workspace_id, dialect=event.command.origin.dialect, key=event.key, superseded_by=None
    )
    return same.defer("properties").first()


def _taken(same: UsageRecord) -> DuplicateKey:
    return DuplicateKey("Usage with this id was recorded already.", record_id=same.handle)


def _append(event: PreparedEvent) -> RecordedEvent | None:
    """Append an event; None where its key is taken, or its alias was given to a customer only now."""
    named = event.command.customer_alias != NOBODY
    return (named and _append_matched(event)) or _append_unmatched(event)


_NAMED = """COALESCE(
    (SELECT customer_id FROM billing_customeralias WHERE workspace_id = %s AND value = %s),
    (SELECT id FROM billing_customer WHERE workspace_id = %s AND id = %s),
    (SELECT id FROM billing_customer WHERE workspace_id = %s AND reference = %s))"""

_INSERT = """
INSERT INTO usage_usagerecord
    (workspace_id, customer_id, is_late, customer_alias, event_type, occurred_at, recorded_at,
     kind, source, dialect, key, recorded_by, note, properties, folded)
{source}
ON CONFLICT (workspace_id, dialect, key) WHERE key IS NOT NULL AND superseded_by_id IS NULL DO NOTHING
RETURNING id, customer_id, is_late
"""
_VALUES = "%s, %s, %s, %s, 'entry', %s, %s, %s, %s, '', %s, %s"
# As for a line's record: first the lock, then the id; after waiting for a close, the customer is read again.
_INSERT_MATCHED = _INSERT.format(
    source=f"""SELECT customer.workspace_id, customer.id, COALESCE(customer.events_open_from_at > %s, FALSE), {_VALUES}
FROM billing_customer customer WHERE customer.workspace_id = %s AND customer.id = {_NAMED}
{{lock}}"""
)
_INSERT_UNMATCHED = _INSERT.format(source=f"VALUES (%s, NULL, FALSE, {_VALUES})")


def insert_event(command: ReportEvent, recorded_at: datetime) -> tuple[str, list[Any]]:
    """Return the one statement that finds and locks the customer, draws the id and inserts, with its parameters."""
    return _insert_matched(prepared(command, recorded_at))


def _insert_matched(event: PreparedEvent) -> tuple[str, list[Any]]:
    statement = _INSERT_MATCHED.format(lock="FOR SHARE OF customer" if connection.vendor == "postgresql" else "")
    names = _names(event.workspace_id, event.command.customer_alias)
    return statement, [event.moment, *_values(event), event.workspace_id, *names]


def _values(event: PreparedEvent) -> list[Any]:
    command = event.command
    return [
        command.customer_alias,
        command.event_type,
        event.moment,
        adapt("recorded_at", event.recorded_at),
        command.origin.source,
        command.origin.dialect,
        event.key,
        command.origin.recorded_by,
        event.properties,
        adapt("folded", event.folded),
    ]


def _names(workspace_id: int, alias: str) -> list[Any]:
    try:
        given = UUID(alias)
    except ValueError:
        given = None
    # Only as it is told: no second spelling names a customer.
    customer_id = adapt("id", given, Customer) if given and str(given) == alias else None
    return [workspace_id, alias, workspace_id, customer_id, workspace_id, alias]


def _append_matched(event: PreparedEvent) -> RecordedEvent | None:
    with connection.cursor() as cursor:
        cursor.execute(*_insert_matched(event))
        return _told(event, cursor.fetchone())


@transaction.atomic
def _append_unmatched(event: PreparedEvent) -> RecordedEvent | None:
    alias = event.command.customer_alias
    lock_names(event.workspace_id, [alias])
    if customer_named(event.workspace_id, alias) is not None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_UNMATCHED, [event.workspace_id, *_values(event)])
        return _told(event, cursor.fetchone())


def _told(event: PreparedEvent, row: tuple[Any, ...] | None) -> RecordedEvent | None:
    if row is None:
        return None
    record_id, customer_id, is_late = row
    return event.recorded(record_id, customer_id=as_uuid(customer_id), is_late=bool(is_late))


def customer_named(workspace_id: int, alias: str) -> UUID | None:
    """Return the id of the customer whom a name names now."""
    if alias == NOBODY:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_NAMED}", _names(workspace_id, alias))
        return as_uuid(cursor.fetchone()[0])


@transaction.atomic
def _supersede(former: UsageRecord, event: PreparedEvent) -> RecordedEvent:
    """Put an event in the place of the live record with its key; raise ``Moved`` where that is no longer live."""
    if former.line_id is not None:
        raise _taken(former)
    command = event.command
    customer_id = customer_named(event.workspace_id, command.customer_alias)
    change = UsageRecord(
        kind=UsageRecord.Kind.CORRECTION,
        workspace_id=event.workspace_id,
        customer_id=customer_id,
        customer_alias=command.customer_alias,
        event_type=command.event_type,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        source=command.origin.source,
        dialect=command.origin.dialect,
        key=event.key,
        recorded_by=command.origin.recorded_by,
        properties=command.properties,
        origin_id=former.handle,
    )
    late_before = lock_events(former, change)
    if customer_id is None and customer_named(event.workspace_id, command.customer_alias) is not None:
        raise Moved
    return supersede_event(former, change, late_before=late_before)
