"""Records to be, of a batch: commands that a line or a customer takes, limits and keys aside."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from billing.storage.jsontext import encode
from usage.commands import Origin, RecordUsage, ReportEvent
from usage.ledger.events.naming import LockedCustomers
from usage.ledger.events.recording import PreparedEvent, prepared
from usage.ledger.lines.locked import LockedLine, LockedLines
from usage.ledger.values import Recorded, RecordedEvent, adapt_properties, exact_quantity


class UsageToBe(NamedTuple):
    """A line's record; ``position`` is its place in the batch."""

    position: int
    command: RecordUsage
    line: LockedLine
    quantity: Decimal
    occurred_at: datetime

    @property
    def key(self) -> str | None:
        return self.command.key

    @property
    def goes_alone(self) -> bool:
        """Tell whether it takes the place of one before it."""
        return False

    @property
    def is_bounded(self) -> bool:
        """Tell whether what becomes of it depends on those before it: on what of a limit they leave."""
        return self.line.is_bounded

    def recorded(self, record_id: int, recorded_at: datetime) -> Recorded:
        """Return what the ledger says once it is in it."""
        return Recorded(
            id=record_id,
            handle=record_id,
            line_id=self.line.id,
            line_number=self.line.number,
            line_reference=self.line.reference,
            quantity=self.quantity,
            occurred_at=self.occurred_at,
            recorded_at=recorded_at,
            source=self.command.origin.source,
            is_late=self.occurred_at < self.line.open_from_at,
        )

    def row(self) -> dict[str, Any]:
        """Return its columns, as JSON has them."""
        return {
            "line_id": self.line.id,
            "quantity": f"{self.quantity:f}",
            "is_late": self.occurred_at < self.line.open_from_at,
            "note": self.command.note,
            **_common(self.command.origin, self.command.properties, self.key),
        }


class EventToBe(NamedTuple):
    """An event under a customer's name; ``customer_id`` is None where it names nobody."""

    position: int
    event: PreparedEvent
    customer_id: UUID | None
    is_late: bool

    @property
    def command(self) -> ReportEvent:
        return self.event.command

    @property
    def occurred_at(self) -> datetime:
        return self.event.occurred_at

    @property
    def key(self) -> str:
        return self.event.key

    @property
    def goes_alone(self) -> bool:
        """Tell whether it takes the place of one before it."""
        return self.command.supersedes and self.command.key is not None

    def recorded(self, record_id: int, recorded_at: datetime) -> RecordedEvent:
        """Return what the ledger says once it is in it."""
        return self.event.recorded(record_id, customer_id=self.customer_id, is_late=self.is_late)

    def row(self) -> dict[str, Any]:
        """Return its columns, as JSON has them."""
        return {
            "customer_id": self.customer_id and self.customer_id.hex,
            "customer_alias": self.command.customer_alias,
            "event_type": self.command.event_type,
            "is_late": self.is_late,
            "note": "",
            "folded": self.event.folded and encode(self.event.folded).decode(),
            **_common(self.command.origin, self.command.properties, self.key),
        }


Entry = UsageToBe | EventToBe


def _common(origin: Origin, properties: Any, key: str | None) -> dict[str, Any]:
    return {
        "source": origin.source,
        "dialect": origin.dialect,
        "key": key,
        "recorded_by": origin.recorded_by,
        "properties": None if properties is None else encode(properties).decode(),
    }


def usage_to_be(position: int, command: RecordUsage, lines: LockedLines) -> UsageToBe:
    """Return what a line takes; raise ``UnableToRecord``."""
    quantity = exact_quantity(command.quantity)
    adapt_properties(command.properties)
    occurred_at = command.occurred_at.astimezone(UTC)
    line = lines.taking(command.address, quantity=quantity, at=occurred_at)
    return UsageToBe(position, command, line, quantity, occurred_at)


def event_to_be(position: int, command: ReportEvent, customers: LockedCustomers, recorded_at: datetime) -> EventToBe:
    """Return an event with whom its name names; raise ``UnableToRecord``."""
    event = prepared(command, recorded_at)
    name = command.customer_alias
    return EventToBe(position, event, customers.customer_id(name), is_late=customers.is_late(name, event.occurred_at))
