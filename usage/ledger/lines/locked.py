"""Lines that a batch may mean, locked all at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from billing.aggregations import OF_BRICKS, Aggregation
from billing.models import Line, Workspace
from billing.storage.rows import given, one_of, rows
from usage.commands import LineByBrick, LineByName, LineByNumber
from usage.ledger.lines.address import Address, as_line_number, as_uuid
from usage.ledger.refusals import Life, LineNotFound, LineNotMetered, OutsideLine, QuantityRefused
from usage.ledger.values import life


class LockedLine(NamedTuple):
    """What the ledger has to know of a line; it stays so until the transaction ends."""

    id: int
    number: int
    reference: str | None
    subscription_id: UUID
    subscription_reference: str | None
    brick_id: UUID
    aggregation: str
    is_bounded: bool
    starts_at: datetime
    ends_at: datetime | None
    open_from_at: datetime

    @property
    def metering(self) -> Aggregation:
        return OF_BRICKS[self.aggregation]

    def is_active(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


_WANTED = {"line_number": "bigint", "subscription_id": "uuid", "brick_id": "uuid", "name": "text"}
# Index look-ups, one for each value: what a batch costs does not grow with the tables.
_FOUND = """
    SELECT id FROM billing_line WHERE workspace_id = %s AND {of_number}
    UNION SELECT id FROM billing_line WHERE workspace_id = %s AND {of_brick}
        AND (subscription_id, brick_id) IN (SELECT subscription_id, brick_id FROM wanted)
    UNION SELECT id FROM billing_line WHERE workspace_id = %s AND {of_subscription}
    UNION SELECT id FROM billing_line WHERE workspace_id = %s AND {of_reference}
    UNION SELECT id FROM billing_line WHERE workspace_id = %s AND {of_subscription_reference}
"""
_LOCK = """
WITH wanted AS (SELECT * FROM {given}),
found AS ({found})
SELECT line.id, line.number, line.reference, line.subscription_id, subscription.reference, line.brick_id,
    brick.aggregation, line.hard_limit_quantity IS NOT NULL OR line.hard_limit_amount IS NOT NULL,
    line.starts_at, line.ends_at, line.open_from_at
FROM billing_line line
    JOIN billing_brick brick ON brick.workspace_id = line.workspace_id AND brick.id = line.brick_id
    JOIN billing_subscription subscription
        ON subscription.workspace_id = line.workspace_id AND subscription.id = line.subscription_id
WHERE line.workspace_id = %s AND {is_found}
ORDER BY line.id
{lock}
"""


class LockedLines:
    """The lines at some addresses, locked as a single record locks its own: against closing, not against each other.

    They are locked in the order of their ids, as closing does, so that neither waits for the other for ever.
    """

    def __init__(self, workspace_id: int, addresses: Iterable[Address]) -> None:
        self._workspace_id = workspace_id
        self._by_number: dict[int, LockedLine] = {}
        self._by_reference: dict[str, LockedLine] = {}
        self._by_brick: dict[tuple[UUID, UUID], list[LockedLine]] = defaultdict(list)
        self._by_subscription: dict[UUID | str, list[LockedLine]] = defaultdict(list)
        wanted = set(addresses)
        found = _lock(workspace_id, wanted) if wanted else ()
        for line in sorted(found, key=lambda line: line.starts_at):
            self._by_number[line.number] = line
            self._by_brick[line.subscription_id, line.brick_id].append(line)
            self._by_subscription[line.subscription_id].append(line)
            if line.subscription_reference is not None:
                self._by_subscription[line.subscription_reference].append(line)
            if line.reference is not None:
                self._by_reference[line.reference] = line

    def bounded(self) -> set[int]:
        """Return the ids of the lines that have a hard limit."""
        return {line.id for line in self._by_number.values() if line.is_bounded}

    def taking(self, address: Address, *, quantity: Decimal, at: datetime) -> LockedLine:
        """Return the line that takes a quantity at a moment, limits aside; raise ``UnableToRecord``."""
        found = self._at(address)
        if not found:
            raise LineNotFound("There is no such line.")
        if found[0].metering.takes_events:
            raise LineNotMetered("This line counts events: it takes no usage of its own.")
        if not found[0].metering.takes_usage:
            raise LineNotMetered("This line is not metered: it takes no usage.")
        active = [line for line in found if line.is_active(at)]
        if not active:
            raise OutsideLine(map(self._life, found))
        if len(active) > 1:
            raise LineNotFound("This subscription has several lines that take usage: name one of them.")
        if quantity < 0 and not active[0].metering.may_be_negative:
            raise QuantityRefused(f"A {active[0].metering.short_label} can't be negative.")
        return active[0]

    def _at(self, address: Address) -> list[LockedLine]:
        match address:
            case LineByNumber(number):
                line = self._by_number.get(number)
                return [] if line is None else [line]
            case LineByBrick(subscription_id, brick_id):
                return self._by_brick.get((subscription_id, brick_id), [])
            case LineByName(name):
                line = self._by_reference.get(name) or self._by_number.get(as_line_number(name) or 0)
                return self._of_subscription(name) if line is None else [line]

    def _of_subscription(self, name: str) -> list[LockedLine]:
        names = (name, as_uuid(name))
        found = {line.id: line for key in names if key is not None for line in self._by_subscription.get(key, ())}
        return [line for line in found.values() if line.metering.takes_usage] or list(found.values())

    def _life(self, line: LockedLine) -> Life:
        return life(Line(workspace=self._workspace, starts_at=line.starts_at, ends_at=line.ends_at))

    @cached_property
    def _workspace(self) -> Workspace:
        return Workspace.objects.only("time_zone").get(pk=self._workspace_id)


def _lock(workspace_id: int, addresses: set[Address]) -> Iterator[LockedLine]:
    with connection.cursor() as cursor:
        cursor.execute(_lock_statement(), [rows(map(_wanted, addresses)), *[workspace_id] * 7])
        for line in map(LockedLine._make, cursor.fetchall()):
            yield line if isinstance(line.brick_id, UUID) else _from_sqlite(line)


def _lock_statement() -> str:
    names = "SELECT name FROM wanted WHERE name IS NOT NULL"
    referred = f"SELECT id FROM billing_subscription WHERE workspace_id = %s AND {one_of('reference', names)}"
    found = _FOUND.format(
        of_number=one_of("number", "SELECT line_number FROM wanted"),
        of_brick=one_of("subscription_id", "SELECT subscription_id FROM wanted WHERE brick_id IS NOT NULL"),
        of_subscription=one_of("subscription_id", "SELECT subscription_id FROM wanted WHERE name IS NOT NULL"),
        of_reference=one_of("reference", names),
        of_subscription_reference=one_of("subscription_id", referred),
    )
    return _LOCK.format(
        given=given(_WANTED),
        found=found,
        is_found=one_of("line.id", "SELECT id FROM found"),
        lock="FOR KEY SHARE OF line" if connection.vendor == "postgresql" else "",
    )


def _wanted(address: Address) -> dict[str, Any]:
    match address:
        case LineByNumber(number):
            return {"line_number": number}
        case LineByBrick(subscription_id, brick_id):
            return {"subscription_id": subscription_id.hex, "brick_id": brick_id.hex}
        case LineByName(name):
            known = as_uuid(name)
            return {"line_number": as_line_number(name), "subscription_id": known and known.hex, "name": name}


def _from_sqlite(line: LockedLine) -> LockedLine:
    """Return a line as PostgreSQL gives it: SQLite keeps a UUID as its digits, and moments without their zone."""
    moments = {name: getattr(line, name) for name in ("starts_at", "ends_at", "open_from_at")}
    return line._replace(
        subscription_id=UUID(str(line.subscription_id)),
        brick_id=UUID(str(line.brick_id)),
        is_bounded=bool(line.is_bounded),
        **{name: moment and moment.replace(tzinfo=UTC) for name, moment in moments.items()},
    )
