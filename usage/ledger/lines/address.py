"""Which lines an address means: as an SQL condition, and as rows."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q

from billing.aggregations import sql_names
from billing.models import Line
from billing.models.contracts import GREATEST_LINE_NUMBER
from usage.commands import LineByBrick, LineByName, LineByNumber
from usage.ledger.values import adapt

Address = LineByNumber | LineByBrick | LineByName

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
        WHERE s.workspace_id = %s AND (s.reference = %s OR s.id = %s) AND b.aggregation IN {{takes_usage}}
            AND l.starts_at <= %s AND (l.ends_at IS NULL OR l.ends_at > %s))
)"""


Condition = tuple[str, list[Any]]


def conditions(address: Address, *, workspace_id: int, occurred_at: datetime) -> Iterator[Condition]:
    """Yield the conditions on ``line`` under which it takes usage of that moment, with their parameters.

    Each is to be tried where the one before it found no line: a name mostly is a line's reference or number, and
    looking for all that it may be takes the database half as long again.
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
            line_number, known = as_line_number(name), as_uuid(name)
            of_line = [workspace_id, name, workspace_id, line_number]
            if line_number is not None:
                yield _BY_REFERENCE_OR_NUMBER, of_line
            elif known is None:
                yield _BY_REFERENCE, [name]
            moment = adapt("occurred_at", occurred_at)
            of_subscription = [workspace_id, name, adapt("subscription_id", known, Line), moment, moment]
            yield _BY_NAME.format(takes_usage=sql_names("takes_usage")), [*of_line, *of_subscription]


def lines_at(address: Address, *, workspace_id: int) -> list[Line]:
    """Return the lines at an address, whenever they are active: those that take usage, if there are any."""
    lines = Line.objects.filter(workspace_id=workspace_id).select_related("brick", "workspace").order_by("starts_at")
    match address:
        case LineByNumber(number):
            return list(lines.filter(number=number))
        case LineByBrick(subscription_id, brick_id):
            return list(lines.filter(subscription_id=subscription_id, brick_id=brick_id))
        case LineByName(name):
            if found := list(lines.filter(reference=name)) or list(lines.filter(number=as_line_number(name) or 0)):
                return found
            named = Q(subscription__reference=name) | Q(subscription_id=as_uuid(name))
            found = list(lines.filter(named))
            return [line for line in found if line.brick.metering.takes_usage] or found


def as_line_number(name: str) -> int | None:
    """Return the number that a name is, None where no line can have it."""
    is_number = name.isascii() and name.isdigit() and len(name) < 20 and name[0] != "0"
    return int(name) if is_number and int(name) <= GREATEST_LINE_NUMBER else None


def as_uuid(name: str) -> uuid.UUID | None:
    """Return the UUID that a name is, written with its hyphens; None where it is none.

    No second spelling (bare digits, braces, a URN) is an id: another thing may have it for its reference.
    """
    try:
        found = uuid.UUID(name)
    except ValueError:
        return None
    return found if str(found) == name.lower() else None
