"""What the vendor's mutations do: each is one entry in the ledger."""

import functools
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError

from billing.models import Brick
from usage import ledger
from usage.commands import LineByBrick, Origin, RecordUsage
from usage.dialects.salesbricks_v1.errors import bad_input
from usage.ledger import LineNotFound, UnableToRecord
from usage.metering import SUM, UNIT_DAYS

NO_SUCH_LINE = "There is no such brick in such a subscription."
# What a process knows of the bricks that usage was reported of lately.
KNOWN_BRICKS = 10_000


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutation, its argument with the quantity, and how the bricks that it is for are aggregated."""

    name: str
    quantity: str
    aggregation: str


MUTATIONS = (
    Mutation("incrementCounter", quantity="count", aggregation=SUM.name),
    Mutation("setGauge", quantity="value", aggregation=UNIT_DAYS.name),
)
_FOR = {mutation.aggregation: mutation.name for mutation in MUTATIONS}


def resolvers(*, origin: Origin, recorded_at: datetime) -> dict[str, Any]:
    """Return the root of all operations: each of its fields' values, or what computes it."""
    changes = {mutation.name: _resolver(mutation, origin, recorded_at) for mutation in MUTATIONS}
    return {"apiVersion": "v1", **changes}


def naming(addresses: list[LineByBrick]) -> dict[str, Any]:
    """Return a root whose mutations change nothing, and only add to a list which lines they are about."""

    def note(info: Any, **sent: Any) -> dict[str, bool]:
        # What is no id names no line: the mutation itself will say so.
        with suppress(GraphQLError):
            addresses.append(LineByBrick(_uuid(sent, "subscriptionId"), _uuid(sent, "brickId")))
        return {"success": True}

    return {"apiVersion": "v1", **{mutation.name: note for mutation in MUTATIONS}}


def _resolver(mutation: Mutation, origin: Origin, recorded_at: datetime) -> Callable[..., dict[str, bool]]:
    def resolve(info: Any, **sent: Any) -> dict[str, bool]:
        try:
            ledger.record(command=_record_usage(mutation, sent, origin), recorded_at=recorded_at)
        except UnableToRecord as error:
            fields = {"line": "brickId", "occurred_at": "timestamp", "quantity": mutation.quantity}
            message = NO_SUCH_LINE if isinstance(error, LineNotFound) else error.message
            raise bad_input(message, fields.get(error.field or "")) from error
        return {"success": True}

    return resolve


def _record_usage(mutation: Mutation, sent: dict[str, Any], origin: Origin) -> RecordUsage:
    subscription_id, brick_id = _uuid(sent, "subscriptionId"), _uuid(sent, "brickId")
    if sent[mutation.quantity] < 0:
        raise bad_input("Ensure this value is greater than or equal to 0.", mutation.quantity)
    aggregation = _aggregation(origin.workspace_id, brick_id)
    if aggregation != mutation.aggregation:
        other = _FOR.get(aggregation)
        raise bad_input(f"This brick is for {other}." if other else "This brick takes no usage entries.", "brickId")
    return RecordUsage(
        origin=origin,
        address=LineByBrick(subscription_id, brick_id),
        quantity=Decimal(sent[mutation.quantity]),
        occurred_at=sent["timestamp"],
    )


def _uuid(sent: dict[str, Any], field: str) -> uuid.UUID:
    try:
        return uuid.UUID(sent[field])
    except ValueError:
        raise bad_input("Must be a valid UUID.", field) from None


@functools.lru_cache(maxsize=KNOWN_BRICKS)
def _aggregation(workspace_id: int, brick_id: uuid.UUID) -> str:
    """Return how a brick is aggregated, which is fixed once a subscription has it; raise ``LineNotFound`` before."""
    sold = Brick.objects.filter(workspace_id=workspace_id, pk=brick_id, lines__isnull=False)
    aggregation = sold.values_list("aggregation", flat=True).first()
    if aggregation is None:
        raise LineNotFound(NO_SUCH_LINE)
    return aggregation
