"""Accept the commands of a batch and prepare their rows, without checking keys and hard limits."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from billing.storage.jsontext import encode
from usage.commands import Origin, RecordUsage, ReportEvent
from usage.ledger.events import LockedNames, PreparedEvent, prepare
from usage.ledger.lateness import is_late
from usage.ledger.lines import AddressedLines, LineFacts, accept
from usage.ledger.values import Recorded, RecordedEvent, adapt_properties, exact_quantity


class AcceptedUsage(NamedTuple):
    """Usage with the line that takes it; ``position`` is its place in the batch."""

    position: int
    command: RecordUsage
    line: LineFacts
    quantity: Decimal
    occurred_at: datetime

    @property
    def key(self) -> str | None:
        return self.command.key

    @property
    def may_supersede(self) -> bool:
        """Tell whether it may supersede an earlier entry of the batch."""
        return False

    @property
    def is_bounded(self) -> bool:
        """Tell whether its line has a hard limit, which earlier entries of the batch may use up."""
        return self.line.is_bounded

    @property
    def is_late(self) -> bool:
        """Tell whether it affects a closed period of its line."""
        return is_late(self.occurred_at, open_from_at=self.line.open_from_at)

    def recorded(self, record_id: int, recorded_at: datetime) -> Recorded:
        """Return the result for the caller once it is recorded."""
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
            is_late=self.is_late,
        )

    def row(self) -> dict[str, Any]:
        """Return its columns as JSON values."""
        return {
            "line_id": self.line.id,
            "quantity": f"{self.quantity:f}",
            "is_late": self.is_late,
            "note": self.command.note,
            **_common(self.command.origin, self.command.properties, self.key),
        }


class AcceptedEvent(NamedTuple):
    """An event with the customer that its alias resolves to; ``customer_id`` is None if it resolves to none."""

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
    def may_supersede(self) -> bool:
        """Tell whether it may supersede an earlier entry of the batch."""
        return self.command.supersedes and self.command.key is not None

    def recorded(self, record_id: int, recorded_at: datetime) -> RecordedEvent:
        """Return the result for the caller once it is recorded."""
        return self.event.recorded(record_id, customer_id=self.customer_id, is_late=self.is_late)

    def row(self) -> dict[str, Any]:
        """Return its columns as JSON values."""
        return {
            "customer_id": self.customer_id,
            "customer_alias": self.command.customer_alias,
            "event_type": self.command.event_type,
            "is_late": self.is_late,
            "note": "",
            "folded": self.event.folded and encode(self.event.folded).decode(),
            **_common(self.command.origin, self.command.properties, self.key),
        }


Entry = AcceptedUsage | AcceptedEvent


def _common(origin: Origin, properties: Any, key: str | None) -> dict[str, Any]:
    return {
        "source": origin.source,
        "dialect": origin.dialect,
        "key": key,
        "recorded_by": origin.recorded_by,
        "properties": None if properties is None else encode(properties).decode(),
    }


def accept_usage(position: int, command: RecordUsage, lines: AddressedLines) -> AcceptedUsage:
    """Return usage with the line that takes it; raise ``UnableToRecord``."""
    quantity = exact_quantity(command.quantity)
    adapt_properties(command.properties)
    occurred_at = command.occurred_at.astimezone(UTC)
    line = accept(lines.at(command.address), quantity=quantity, occurred_at=occurred_at)
    return AcceptedUsage(position, command, line, quantity, occurred_at)


def accept_event(position: int, command: ReportEvent, names: LockedNames, recorded_at: datetime) -> AcceptedEvent:
    """Return the event and the customer that its alias resolves to; raise ``UnableToRecord``."""
    event = prepare(command, recorded_at)
    alias = command.customer_alias
    return AcceptedEvent(position, event, names.customer_id(alias), is_late=names.is_late(alias, event.occurred_at))
