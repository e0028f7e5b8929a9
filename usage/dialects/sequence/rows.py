"""Queries of the rows of a workspace."""

import uuid
from typing import Any, TypeVar

from django.db.models import OuterRef, Q, QuerySet, Subquery

from billing.models import Customer, CustomerAlias, EventRule, Workspace
from billing.names import parse_uuid
from usage.dialects.sequence.identifiers import own_id, public_id
from usage.models import UsageRecord

Rows = TypeVar("Rows", bound=QuerySet[Any])

_EVENT_FILTERS = {
    "customerAlias": "customer_alias__in",
    "eventType": "event_type",
    "eventTimestampAfter": "occurred_at__gte",
    "eventTimestampBefore": "occurred_at__lt",
}
_METRIC_FILTERS = {
    "name": "brick__name__icontains",
    "id": "brick__id__icontains",
    "eventType": "event_type__in",
    "eventProperty": "property__in",
}


def events(workspace: Workspace, asked: dict[str, Any]) -> QuerySet[UsageRecord]:
    """Return the events as received, including superseded ones, without the ledger's further records about them."""
    received = (UsageRecord.Kind.ENTRY, UsageRecord.Kind.CORRECTION)
    found = UsageRecord.objects.filter(workspace=workspace, customer_alias__isnull=False, kind__in=received)
    found = found.filter(**_lookups(_EVENT_FILTERS, asked))
    if asked["unmappedAliasesOnly"]:
        found = found.of_nobody().filter(superseded_by=None)
    if "eventId" in asked:
        found = _with_public_id(found, asked["eventId"], made_at="recorded_at")
    return found.only("id", "key", "customer_alias", "event_type", "occurred_at", "recorded_at", "properties")


def metrics(workspace: Workspace) -> QuerySet[EventRule]:
    """Return the current rules of the bricks that count events."""
    return EventRule.objects.filter(workspace=workspace, replaced_at=None).select_related("brick")


def listed_metrics(workspace: Workspace, asked: dict[str, Any]) -> QuerySet[EventRule]:
    """Return the metrics that are not deleted; ``first_rule`` orders them by creation time."""
    found = metrics(workspace).filter(brick__archived_at=None, **_lookups(_METRIC_FILTERS, asked))
    if "aggregationType" in asked:
        found = found.filter(aggregation__in=[name.lower() for name in asked["aggregationType"]])
    rules_of_brick = EventRule.objects.filter(workspace=workspace, brick=OuterRef("brick")).order_by("id")
    return found.annotate(first_rule=Subquery(rules_of_brick.values("id")[:1]))


def aliases(workspace: Workspace) -> QuerySet[CustomerAlias]:
    return CustomerAlias.objects.filter(workspace=workspace)


def alias_with_id(workspace: Workspace, told: uuid.UUID) -> CustomerAlias | None:
    return _with_public_id(aliases(workspace), told, made_at="created_at").first()


def customer(workspace: Workspace, told: str) -> Customer | None:
    """Return the customer with an id or else a reference."""
    by_id = parse_uuid(told)
    found = Customer.objects.filter(Q(pk=by_id) | Q(reference=told), workspace=workspace)
    return max(found, key=lambda row: row.pk == by_id, default=None)


def _lookups(filters: dict[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    return {lookup: asked[name] for name, lookup in filters.items() if name in asked}


def _with_public_id(rows: Rows, told: uuid.UUID, *, made_at: str) -> Rows:
    own = own_id(told)
    # Compare here, not in the database: SQLite stores moments that it sets itself in another text format.
    made = rows.filter(pk=own).values_list(made_at, flat=True).first()
    return rows.filter(pk=own) if made is not None and public_id(own, made) == told else rows.none()
