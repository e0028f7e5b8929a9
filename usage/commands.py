"""The one vocabulary that every intake speaks: API dialects, the panel and files translate into these values."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where usage comes from. ``source``: api, file or panel; ``recorded_by``: the key, user, or file and row."""

    workspace_id: int
    source: str
    dialect: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class LineByNumber:
    number: int


@dataclass(frozen=True, slots=True)
class LineByBrick:
    """The subscription's line of a brick that is active when the usage occurred."""

    subscription_id: uuid.UUID
    brick_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class LineByName:
    """A line by its reference, else by its number; else the one that takes usage then of a subscription so named."""

    name: str


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """Report a quantity at a moment. ``key`` is the sender's own id of the record: the same key makes one record.

    ``accepts_part``: where the line's limit leaves less than the quantity, what it leaves is recorded.
    """

    origin: Origin
    address: LineByNumber | LineByBrick | LineByName
    quantity: Decimal
    occurred_at: datetime
    key: str | None = None
    note: str = ""
    properties: Any = None
    accepts_part: bool = False


@dataclass(frozen=True, slots=True)
class ReportEvent:
    """Report that something happened at a customer's, who is named by an alias; bricks say what of it counts.

    ``supersedes``: of several events with one key the last received counts, where otherwise a further one is refused.
    """

    origin: Origin
    customer_alias: str
    event_type: str
    occurred_at: datetime
    key: str | None
    properties: dict[str, Any]
    supersedes: bool


@dataclass(frozen=True, slots=True)
class RecordById:
    """A record by the id that its sender was told: the live record of that chain of corrections."""

    record_id: int


@dataclass(frozen=True, slots=True)
class RecordByKey:
    dialect: str
    key: str


KEEP: Any = object()


@dataclass(frozen=True, slots=True)
class CorrectUsage:
    """Replace what a record says; what is left at ``KEEP`` stays."""

    origin: Origin
    target: RecordById | RecordByKey
    quantity: Decimal = KEEP
    occurred_at: datetime = KEEP
    properties: Any = KEEP
    note: str = ""


@dataclass(frozen=True, slots=True)
class RetractUsage:
    """Take a record back: it counts no longer."""

    origin: Origin
    target: RecordById | RecordByKey
    note: str = ""
