"""Define the commands that every intake speaks: API dialects, the panel and files translate into these values."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where usage comes from. ``source``: api, file or panel; ``recorded_by``: the key, the user, or file and row."""

    workspace_id: int
    source: str
    dialect: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class LineByNumber:
    """The line with a number, the integer that clients call it by."""

    number: int


@dataclass(frozen=True, slots=True)
class LineByBrick:
    """The line of a brick in a subscription that is active when the usage occurs."""

    subscription_id: uuid.UUID
    brick_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class LineByName:
    """The line with this reference, else with this number, else the one that takes usage in the subscription so named.

    A subscription is named by its reference or its id.
    """

    name: str


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """Report a quantity of a line at a moment.

    ``key`` is the sender's own id of the record: one key makes one record. ``accepts_part``: where the line's hard
    limit leaves less than the quantity, record what it leaves.
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
    """Report something that happened at a customer, whom an alias names; the rules of bricks say what of it counts.

    ``supersedes``: of several events with one key, the last received counts. Otherwise a further one is refused.
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
    """The live record of the chain of corrections that began with the id that its sender was told, or has it itself."""

    record_id: int


@dataclass(frozen=True, slots=True)
class RecordByKey:
    """The live record with a sender's own id."""

    dialect: str
    key: str


# What a correction does not change.
KEEP: Any = object()


@dataclass(frozen=True, slots=True)
class CorrectUsage:
    """Replace what a record says; a field at ``KEEP`` stays as it is."""

    origin: Origin
    target: RecordById | RecordByKey
    quantity: Decimal = KEEP
    occurred_at: datetime = KEEP
    properties: Any = KEEP
    note: str = ""


@dataclass(frozen=True, slots=True)
class RetractUsage:
    """Take a record back, so that it counts no longer."""

    origin: Origin
    target: RecordById | RecordByKey
    note: str = ""
