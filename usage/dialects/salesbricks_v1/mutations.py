"""Resolvers of the vendor's mutations, each of which records one entry in the ledger."""

import functools
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from billing.models import Brick
from usage import ledger
from usage.commands import LineByBrick, Origin, RecordUsage
from usage.dialects.salesbricks_v1 import translate
from usage.dialects.salesbricks_v1.errors import bad_input
from usage.ledger import LineNotFound, UnableToRecord
from usage.metering import SUM, UNIT_DAYS

NO_SUCH_LINE = "Unknown subscription or brick."
# The number of bricks whose aggregation a process caches.
KNOWN_BRICKS = 10_000


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutation, the name of its quantity argument, and the aggregation of its bricks."""

    name: str
    quantity: str
    aggregation: str


MUTATIONS = (
    Mutation("incrementCounter", quantity="count", aggregation=SUM.name),
    Mutation("setGauge", quantity="value", aggregation=UNIT_DAYS.name),
)
_FOR = {mutation.aggregation: mutation.name for mutation in MUTATIONS}


def resolvers(*, origin: Origin, recorded_at: datetime) -> dict[str, Any]:
    """Return the root value of all operations: the value or the resolver of each field."""
    changes = {mutation.name: _resolver(mutation, origin, recorded_at) for mutation in MUTATIONS}
    return {"apiVersion": "v1", **changes}


def naming(addresses: list[LineByBrick]) -> dict[str, Any]:
    """Return a root value whose mutations only add the addressed lines to a list."""

    def note(info: Any, **sent: Any) -> dict[str, bool]:
        # The mutation itself will refuse an invalid id.
        with suppress(GraphQLError):
            addresses.append(translate.line_of(sent))
        return {"success": True}

    return {"apiVersion": "v1", **{mutation.name: note for mutation in MUTATIONS}}


def _resolver(mutation: Mutation, origin: Origin, recorded_at: datetime) -> Callable[..., dict[str, bool]]:
    def resolve(info: Any, **sent: Any) -> dict[str, bool]:
        try:
            ledger.record(command=_record_usage(mutation, sent, origin), recorded_at=recorded_at)
        except UnableToRecord as error:
            fields = translate.FIELDS | {"quantity": mutation.quantity}
            message = NO_SUCH_LINE if isinstance(error, LineNotFound) else error.message
            raise bad_input(message, fields.get(error.field or "")) from error
        return {"success": True}

    return resolve


def _record_usage(mutation: Mutation, sent: dict[str, Any], origin: Origin) -> RecordUsage:
    line = translate.line_of(sent)
    if sent[mutation.quantity] < 0:
        raise bad_input("Ensure this value is greater than or equal to 0.", mutation.quantity)
    aggregation = _aggregation(origin.workspace_id, line.brick_id)
    if aggregation != mutation.aggregation:
        other = _FOR.get(aggregation)
        raise bad_input(f"This brick is for {other}." if other else "This brick takes no usage entries.", "brickId")
    return translate.record_usage(sent, line=line, quantity=sent[mutation.quantity], origin=origin)


@functools.lru_cache(maxsize=KNOWN_BRICKS)
def _aggregation(workspace_id: int, brick_id: uuid.UUID) -> str:
    """Return the aggregation of a brick, which its first line fixes; raise ``LineNotFound`` if it has no line."""
    sold = Brick.objects.filter(workspace_id=workspace_id, pk=brick_id, lines__isnull=False)
    aggregation = sold.values_list("aggregation", flat=True).first()
    if aggregation is None:
        raise LineNotFound(NO_SUCH_LINE)
    return aggregation
