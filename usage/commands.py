"""Commands for the ledger, which every intake (API dialects, the panel, files) translates its input into."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of usage. ``source``: api, file or panel; ``recorded_by``: the key, the user, or file and row."""

    workspace_id: int
    source: str
    dialect: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class LineByNumber:
    """The line with a number, the integer by which clients identify it."""

    number: int


@dataclass(frozen=True, slots=True)
class LineByBrick:
    """The line of a brick in a subscription that is active when the usage occurs."""

    subscription_id: uuid.UUID
    brick_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class LineByName:
    """The line with this reference, else with this number, else the only one that takes usage in a subscription.

    The subscription is named by its reference or its id.
    """

    name: str


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """Report a quantity of a line at a moment.

    ``key`` is the sender's own id of the record: each key is recorded once. ``accepts_part``: if the line's hard limit
    leaves less than the quantity, record only the part that it leaves.
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
    """Report an event of the customer with an alias; event rules of bricks determine how it counts.

    ``supersedes``: of several events with the same key, the last received counts. Otherwise further ones are refused.
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
    """The live record of the chain of corrections that starts with this id, or the live record with this id."""

    record_id: int


@dataclass(frozen=True, slots=True)
class RecordByKey:
    """The live record with a sender's own id."""

    dialect: str
    key: str


# Marks a field that a correction does not change.
KEEP: Any = object()


@dataclass(frozen=True, slots=True)
class CorrectUsage:
    """Replace the values of a record, except fields set to ``KEEP``."""

    origin: Origin
    target: RecordById | RecordByKey
    quantity: Decimal = KEEP
    occurred_at: datetime = KEEP
    properties: Any = KEEP
    note: str = ""


@dataclass(frozen=True, slots=True)
class RetractUsage:
    """Retract a record, so that it no longer counts."""

    origin: Origin
    target: RecordById | RecordByKey
    note: str = ""
