"""Resolve the address of usage to lines: by SQL for one, from loaded lines for many.

A number resolves to its line; a subscription and a brick to the brick's lines in that subscription. A name resolves to
the line with that reference, else the line with that number, else the lines of the subscription with that reference or
id, but only to those that take usage if there are any.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from billing.models import Line
from billing.names import parse_uuid
from usage.commands import LineByBrick, LineByName, LineByNumber
from usage.ledger.lines.acceptance import LineFacts, takes_usage_at
from usage.ledger.names import parse_line_number
from usage.ledger.values import adapt

Address = LineByNumber | LineByBrick | LineByName
Condition = tuple[str, list[Any]]

_BY_REFERENCE = "line.reference = %s"
_OF_LINE = """(SELECT l.id FROM billing_line l WHERE l.workspace_id = %s AND l.reference = %s),
    (SELECT l.id FROM billing_line l WHERE l.workspace_id = %s AND l.number = %s)"""
_BY_REFERENCE_OR_NUMBER = f"line.id = COALESCE({_OF_LINE})"
_BY_NAME = f"""line.id = COALESCE(
    {_OF_LINE},
    (SELECT CASE WHEN COUNT(*) = 1 THEN MIN(l.id) END
        FROM billing_subscription s
            JOIN billing_line l ON l.workspace_id = s.workspace_id AND l.subscription_id = s.id
            JOIN billing_brick b ON b.workspace_id = l.workspace_id AND b.id = l.brick_id
        WHERE s.workspace_id = %s AND (s.reference = %s OR s.id = %s) AND {{takes_usage}})
)"""


def conditions(address: Address, *, workspace_id: int, occurred_at: datetime) -> Iterator[Condition]:
    """Yield the conditions on ``line`` that an address resolves to at a moment, with their parameters.

    Try each if the previous one found no line: most names are a line's reference or number, and a statement that covers
    all kinds of names takes half as long again.
    """
    match address:
        case LineByNumber(number):
            yield "line.number = %s", [number]
        case LineByBrick(subscription_id, brick_id):
            yield (
                "line.subscription_id = %s AND line.brick_id = %s",
                [adapt("subscription_id", subscription_id, Line), adapt("brick_id", brick_id, Line)],
            )
        case LineByName(name):
            line_number, known = parse_line_number(name), parse_uuid(name)
            of_line = [workspace_id, name, workspace_id, line_number]
            if line_number is not None:
                yield _BY_REFERENCE_OR_NUMBER, of_line
            elif known is None:
                yield _BY_REFERENCE, [name]
            of_subscription = [workspace_id, name, adapt("subscription_id", known, Line)]
            takes_usage, moments = takes_usage_at(line="l", brick="b", moment=adapt("occurred_at", occurred_at))
            yield _BY_NAME.format(takes_usage=takes_usage), [*of_line, *of_subscription, *moments]


class LoadedLine(NamedTuple):
    """The facts about a line, and the names by which addresses refer to it."""

    facts: LineFacts
    subscription_id: UUID
    subscription_reference: str | None
    brick_id: UUID


class AddressedLines:
    """Loaded lines by address: for each address all its lines, at whatever time they are active."""

    def __init__(self, lines: Iterable[LoadedLine]) -> None:
        self._by_number: dict[int, LineFacts] = {}
        self._by_reference: dict[str, LineFacts] = {}
        self._by_brick: dict[tuple[UUID, UUID], list[LineFacts]] = defaultdict(list)
        self._by_subscription: dict[UUID | str, list[LineFacts]] = defaultdict(list)
        for line in sorted(lines, key=lambda line: line.facts.starts_at):
            facts = line.facts
            self._by_number[facts.number] = facts
            self._by_brick[line.subscription_id, line.brick_id].append(facts)
            self._by_subscription[line.subscription_id].append(facts)
            if line.subscription_reference is not None:
                self._by_subscription[line.subscription_reference].append(facts)
            if facts.reference is not None:
                self._by_reference[facts.reference] = facts

    def at(self, address: Address) -> Sequence[LineFacts]:
        """Return the lines of an address, the earliest first; none if the address was not loaded."""
        match address:
            case LineByNumber(number):
                line = self._by_number.get(number)
                return () if line is None else (line,)
            case LineByBrick(subscription_id, brick_id):
                return self._by_brick.get((subscription_id, brick_id), ())
            case LineByName(name):
                line = self._by_reference.get(name) or self._by_number.get(parse_line_number(name) or 0)
                return self._of_subscription(name) if line is None else (line,)

    def bounded_ids(self) -> set[int]:
        """Return the ids of the lines that have a hard limit."""
        return {line.id for line in self._by_number.values() if line.is_bounded}

    def _of_subscription(self, name: str) -> list[LineFacts]:
        names = (name, parse_uuid(name))
        found = {line.id: line for key in names if key is not None for line in self._by_subscription.get(key, ())}
        lines = sorted(found.values(), key=lambda line: line.starts_at)
        return [line for line in lines if line.metering.takes_usage] or lines
