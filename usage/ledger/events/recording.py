"""Record events of the customer that an alias resolves to: with one statement if the alias is known."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction

from billing.parties import NOBODY
from billing.storage import rows
from billing.storage.caseless import folded_copy
from usage.commands import ReportEvent
from usage.ledger.events.naming import customer_id_of, find_customers
from usage.ledger.lateness import late
from usage.ledger.locks import ATTEMPTS, Overtaken, lock_events, lock_names
from usage.ledger.refusals import DuplicateKey, TextRefused
from usage.ledger.store import UNLESS_KEY_IS_TAKEN, holder_of_key, successor, supersede
from usage.ledger.values import RecordedEvent, adapt, adapt_properties
from usage.models import UsageRecord

MAX_TEXT = 255


def report_event(*, command: ReportEvent, recorded_at: datetime) -> RecordedEvent:
    """Append an event and return it; its ``customer_id`` is None as long as the alias resolves to no customer.

    The alias is matched with an alias, the id or the reference of a customer, in this order and exactly. An event
    without a key gets one. Raises ``UnableToRecord`` for a text that is empty or longer than 255 characters, for
    properties that can't be stored, and for a key in use if the command does not supersede.
    """
    event = prepare(command, recorded_at)
    may_supersede = command.supersedes and command.key is not None
    former = None
    for _ in range(ATTEMPTS):
        try:
            recorded = _append(event) if former is None else _supersede(former, event)
        except Overtaken:
            recorded = None
        if recorded is not None:
            return recorded
        former = holder_of_key(workspace_id=event.workspace_id, dialect=command.origin.dialect, key=event.key)
        if former is not None and not may_supersede:
            raise DuplicateKey(record_id=former.handle)
    raise RuntimeError("The ledger refused an event for an unknown reason.")


class PreparedEvent(NamedTuple):
    """A validated command with its key; ``moment`` and ``properties`` are adapted for the driver.

    ``folded`` contains the case-folded form of the texts that folding changes.
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


def prepare(command: ReportEvent, recorded_at: datetime) -> PreparedEvent:
    """Validate a command and give its event a key if it has none; raise ``UnableToRecord`` if it can't be stored."""
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


_INSERT = f"""
INSERT INTO usage_usagerecord
    (workspace_id, customer_id, is_late, customer_alias, event_type, occurred_at, recorded_at,
     kind, source, dialect, key, recorded_by, note, properties, folded)
{{source}}
{UNLESS_KEY_IS_TAKEN}
RETURNING id, customer_id, is_late
"""
_VALUES = "%s, %s, %s, %s, 'entry', %s, %s, %s, %s, '', %s, %s"
# As for a line's record: first the lock, then the id; after waiting for a close, the customer is read again.
_LATE = late(moment="%s", open_from_at="customer.events_open_from_at")
_MATCHED = f"""SELECT customer.workspace_id, customer.id, {_LATE}, {_VALUES}
FROM billing_customer customer WHERE customer.workspace_id = %s AND customer.id = {{customer_id}}
{{lock}}"""
_INSERT_UNMATCHED = _INSERT.format(source=f"VALUES (%s, NULL, FALSE, {_VALUES})")


def _append(event: PreparedEvent) -> RecordedEvent | None:
    """Append an event; None if its key is taken, or its alias was assigned to a customer concurrently."""
    is_named = event.command.customer_alias != NOBODY
    return (is_named and _append_matched(event)) or _append_unmatched(event)


def _append_matched(event: PreparedEvent) -> RecordedEvent | None:
    with connection.cursor() as cursor:
        cursor.execute(*insert_matched(event))
        return _recorded(event, cursor.fetchone())


def insert_matched(event: PreparedEvent) -> tuple[str, list[Any]]:
    """Return the statement that finds and locks the customer, generates the id and inserts, with its parameters."""
    lock = "FOR SHARE OF customer" if connection.vendor == "postgresql" else ""
    customer_id, names = customer_id_of(event.command.customer_alias, workspace_id=event.workspace_id)
    statement = _INSERT.format(source=_MATCHED.format(customer_id=customer_id, lock=lock))
    return statement, [event.moment, *_values(event), event.workspace_id, *names]


@transaction.atomic
def _append_unmatched(event: PreparedEvent) -> RecordedEvent | None:
    alias = event.command.customer_alias
    lock_names(event.workspace_id, [alias])
    if find_customers([alias], workspace_id=event.workspace_id):
        return None
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_UNMATCHED, [event.workspace_id, *_values(event)])
        return _recorded(event, cursor.fetchone())


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


def _recorded(event: PreparedEvent, row: tuple[Any, ...] | None) -> RecordedEvent | None:
    if row is None:
        return None
    record_id, customer_id, is_late = row
    return event.recorded(record_id, customer_id=rows.read_uuid(customer_id), is_late=bool(is_late))


@transaction.atomic
def _supersede(former: UsageRecord, event: PreparedEvent) -> RecordedEvent:
    """Let an event supersede the record that has its key; raise ``Overtaken`` if it no longer has it."""
    if former.line_id is not None:
        raise DuplicateKey(record_id=former.handle)
    command = event.command
    customers = find_customers([command.customer_alias], workspace_id=event.workspace_id)
    change = successor(
        former,
        kind=UsageRecord.Kind.CORRECTION,
        origin=command.origin,
        recorded_at=event.recorded_at,
        customer_id=customers.get(command.customer_alias),
        customer_alias=command.customer_alias,
        event_type=command.event_type,
        occurred_at=event.occurred_at,
        properties=command.properties,
    )
    open_from_at = lock_events(former, change)
    if change.customer_id is None and find_customers([command.customer_alias], workspace_id=event.workspace_id):
        raise Overtaken
    supersede(former, change, open_from_at=open_from_at)
    return RecordedEvent.of(change)
