"""Load the lines of addresses with one statement, and lock them for recording."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from billing.names import parse_uuid
from billing.storage import rows
from usage.commands import LineByBrick, LineByName, LineByNumber
from usage.ledger.lines.acceptance import IS_BOUNDED, LineFacts
from usage.ledger.lines.address import Address, AddressedLines, LoadedLine
from usage.ledger.names import parse_line_number

_WANTED = {"line_number": "bigint", "subscription_id": "uuid", "brick_id": "uuid", "name": "text"}
_NAMES = "SELECT name FROM wanted WHERE name IS NOT NULL"
_LOAD = """
WITH wanted AS (SELECT * FROM {wanted}),
found AS ({found})
SELECT line.id, line.number, line.reference, brick.aggregation,
    {is_bounded},
    line.starts_at, line.ends_at, line.open_from_at, workspace.time_zone,
    line.subscription_id, subscription.reference, line.brick_id
FROM billing_line line
    JOIN billing_workspace workspace ON workspace.id = line.workspace_id
    JOIN billing_brick brick ON brick.workspace_id = line.workspace_id AND brick.id = line.brick_id
    JOIN billing_subscription subscription
        ON subscription.workspace_id = line.workspace_id AND subscription.id = line.subscription_id
WHERE line.workspace_id = %s AND {is_found}
ORDER BY line.id
{lock}
"""


def find_lines(workspace_id: int, addresses: Iterable[Address]) -> AddressedLines:
    """Return the lines of addresses, without locking them."""
    return AddressedLines(_load(workspace_id, set(addresses), lock=""))


def lock_lines(workspace_id: int, addresses: Iterable[Address]) -> AddressedLines:
    """Return the lines of addresses, locked until the transaction ends, as for a single record.

    The lock excludes closing, but not other records. Lines are locked in the order of ids, as by closing, so that they
    don't deadlock.
    """
    lock = "FOR KEY SHARE OF line" if connection.vendor == "postgresql" else ""
    return AddressedLines(_load(workspace_id, set(addresses), lock=lock))


def _load(workspace_id: int, addresses: set[Address], *, lock: str) -> Iterator[LoadedLine]:
    if not addresses:
        return
    found = _found(addresses)
    statement = _LOAD.format(
        wanted=rows.table("wanted", _WANTED),
        found=" UNION ".join(found),
        is_found=rows.one_of("line.id", "SELECT id FROM found"),
        is_bounded=IS_BOUNDED,
        lock=lock,
    )
    of_workspace = [workspace_id] * (" ".join(found).count("%s") + 1)
    with connection.cursor() as cursor:
        cursor.execute(statement, [rows.parameter(map(_as_row, addresses)), *of_workspace])
        yield from map(_loaded, cursor.fetchall())


def _found(addresses: set[Address]) -> list[str]:
    """Return the queries for the ids of the lines of addresses of these kinds; ``%s`` is the workspace.

    Each looks values up in an index, so that the cost of a batch does not grow with the tables.
    """
    of_lines = "SELECT id FROM billing_line WHERE workspace_id = %s AND"
    kinds = set(map(type, addresses))
    found = []
    if kinds & {LineByNumber, LineByName}:
        found.append(f"{of_lines} {rows.one_of('number', 'SELECT line_number FROM wanted')}")
    if LineByBrick in kinds:
        subscriptions = "SELECT subscription_id FROM wanted WHERE brick_id IS NOT NULL"
        found.append(
            f"{of_lines} {rows.one_of('subscription_id', subscriptions)}"
            " AND (subscription_id, brick_id) IN (SELECT subscription_id, brick_id FROM wanted)"
        )
    if LineByName in kinds:
        subscriptions = "SELECT subscription_id FROM wanted WHERE name IS NOT NULL"
        referred = f"SELECT id FROM billing_subscription WHERE workspace_id = %s AND {rows.one_of('reference', _NAMES)}"
        found += [
            f"{of_lines} {rows.one_of('subscription_id', subscriptions)}",
            f"{of_lines} {rows.one_of('reference', _NAMES)}",
            f"{of_lines} {rows.one_of('subscription_id', referred)}",
        ]
    return found


def _as_row(address: Address) -> dict[str, Any]:
    match address:
        case LineByNumber(number):
            return {"line_number": number}
        case LineByBrick(subscription_id, brick_id):
            return {"subscription_id": subscription_id, "brick_id": brick_id}
        case LineByName(name):
            return {"line_number": parse_line_number(name), "subscription_id": parse_uuid(name), "name": name}


def _loaded(row: tuple[Any, ...]) -> LoadedLine:
    *facts, subscription_id, subscription_reference, brick_id = row
    line = LineFacts._make(facts)
    if not isinstance(brick_id, UUID):
        subscription_id, brick_id = UUID(subscription_id), UUID(brick_id)
        moments: dict[str, Any] = {
            name: rows.read_moment(getattr(line, name)) for name in ("starts_at", "ends_at", "open_from_at")
        }
        line = line._replace(is_bounded=bool(line.is_bounded), **moments)
    return LoadedLine(line, subscription_id, subscription_reference, brick_id)
