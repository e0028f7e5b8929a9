"""The models that have a history, the page that shows it, and the omitted fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Field, Model

from billing.models import (
    AllowedOrigin,
    ApiKey,
    Brick,
    CloseRun,
    Customer,
    CustomerAlias,
    EventRule,
    Line,
    Price,
    Subscription,
    Workspace,
)
from billing.money import format_decimal

# Fields that the program sets itself, or that never change.
NOT_TOLD = frozenset({"workspace", "created_at", "created_by"})


@dataclass(frozen=True, slots=True)
class Kind:
    """How a row's changes are recorded. ``owner``: the field with the row that it is a part of; ``part``: its name."""

    subject: str
    owner: str = "pk"
    part: Callable[[Any], str] = lambda _: ""
    not_told: frozenset[str] = frozenset()

    def subject_id_of(self, row: Model) -> str:
        """Return the id of the row whose page shows this row's history."""
        return str(getattr(row, self.owner))

    def workspace_of(self, row: Any) -> int:
        """Return the id of the row's workspace, which is its own id for a workspace."""
        return row.pk if isinstance(row, Workspace) else row.workspace_id

    def fields_of(self, model: type[Model]) -> list[Field]:
        """Return the fields whose values are recorded."""
        silent = NOT_TOLD | self.not_told
        return [
            field
            for field in model._meta.concrete_fields
            if not field.primary_key and field.name not in silent and field.attname != self.owner
        ]


KINDS: Mapping[type[Model], Kind] = {
    Workspace: Kind("workspace", not_told=frozenset({"live"})),
    AllowedOrigin: Kind("workspace", "workspace_id", lambda row: "allowed origin"),
    ApiKey: Kind("apikey", not_told=frozenset({"digest"})),
    Customer: Kind("customer", not_told=frozenset({"events_open_from_at"})),
    CustomerAlias: Kind("customer", "customer_id", lambda row: "alias"),
    Brick: Kind("brick"),
    EventRule: Kind("brick", "brick_id", lambda row: "rule", frozenset({"replaced_at", "folded_filters"})),
    Price: Kind("price"),
    Subscription: Kind("subscription", not_told=frozenset({"open_from_at", "next_close_at"})),
    Line: Kind(
        "subscription", "subscription_id", lambda row: f"line {row.number}", frozenset({"open_from_at", "cutoff"})
    ),
    CloseRun: Kind(
        "closerun",
        not_told=frozenset({"started_at", "started_by", "heartbeat_at", "finished_at", "decided_by", "problem"}),
    ),
}


def told(value: Any) -> Any:
    """Return a value as stored in the history: JSON, with numbers, moments and ids as exact texts."""
    match value:
        case Decimal():
            return format_decimal(value)
        case datetime() | date():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value


def values_of(row: Model) -> dict[str, Any]:
    """Return the recorded values of a row by field, omitting empty ones."""
    kind = KINDS[type(row)]
    values = {field.name: told(getattr(row, field.attname)) for field in kind.fields_of(type(row))}
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
