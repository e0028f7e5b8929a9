"""Translate Sequence's events and metrics into commands and terms, and rows into Sequence's bodies."""

from datetime import UTC, datetime
from typing import Any

from billing.catalog import EventTerms
from billing.models import Customer, CustomerAlias, EventRule, Workspace
from usage.commands import Origin, ReportEvent
from usage.dialects.sequence.calculation import Calculation
from usage.dialects.sequence.identifiers import public_id
from usage.dialects.shared.fields import json_number
from usage.ledger import RecordedEvent
from usage.models import UsageRecord

# Field names: the ledger's -> the vendor's.
FIELDS = {
    "name": "name",
    "description": "description",
    "unit_label": "unit",
    "event_type": "eventType",
    "aggregation": "aggregationType",
    "property": "aggregationProperty",
    "filters": "propertyFilters",
    "negated": "propertiesToNegate",
    "value": "value",
    "label": "label",
}
USUAL_UNIT = "units"


def report_event(data: dict[str, Any], *, origin: Origin, received_at: datetime) -> ReportEvent:
    return ReportEvent(
        origin=origin,
        customer_alias=data["customerAlias"],
        event_type=data["eventType"],
        occurred_at=data["eventTimestamp"] or received_at,
        key=data["customerEventId"],
        properties=data["eventProperties"] or {},
        supersedes=True,
    )


def event(record: RecordedEvent | UsageRecord, *, workspace: Workspace) -> dict[str, Any]:
    """Return an event as received, with an id of its own, whether or not it was superseded since."""
    event_id = str(public_id(record.id, record.recorded_at))
    return {
        "id": event_id,
        # Without an id of the sender, this is the event's id.
        "customerEventId": record.key or event_id,
        "customerAlias": record.customer_alias,
        "eventType": record.event_type,
        "sequenceAccountId": workspace.code,
        "eventTimestamp": moment(record.occurred_at),
        "eventProperties": record.properties or {},
    }


def event_terms(data: dict[str, Any]) -> EventTerms:
    return EventTerms(
        event_type=data["eventType"],
        aggregation=data["aggregationType"].lower(),
        property=data["aggregationProperty"] or "",
        filters=data["propertyFilters"] or {},
        negated=tuple(data["propertiesToNegate"] or ()),
        is_case_sensitive=data["caseSensitive"] is not False,
    )


def brick_fields(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": data["name"],
        "unit_label": data["unit"] or USUAL_UNIT,
        "description": data["description"] or "",
    }


def metric(rule: EventRule, *, workspace: Workspace) -> dict[str, Any]:
    """Return a brick that counts events, with its current rule."""
    brick = rule.brick
    return {
        "id": str(brick.pk),
        "sequenceAccountId": workspace.code,
        "name": brick.name,
        "description": brick.description or None,
        "metricType": "SIMPLE",
        "eventType": rule.event_type,
        "aggregationType": rule.aggregation.upper(),
        "aggregationProperty": rule.property or None,
        "groupingProperty": None,
        "unit": brick.unit_label,
        "createdAt": moment(brick.created_at),
        "deletedAt": moment(brick.archived_at) if brick.archived_at else None,
        "propertyFilters": rule.filters,
        "propertiesToNegate": rule.negated,
        "caseSensitive": rule.is_case_sensitive,
        "parameters": [],
    }


def calculation(result: Calculation, *, rule: EventRule) -> dict[str, Any]:
    edges = {"minEventId": result.first, "maxEventId": result.last}
    return {
        "name": rule.brick.name,
        "metricType": "SIMPLE",
        "eventType": rule.event_type,
        "aggregationType": rule.aggregation.upper(),
        "eventCount": result.event_count,
        "value": json_number(result.value),
        "unit": rule.brick.unit_label,
        **{name: str(public_id(edge.pk, edge.recorded_at)) for name, edge in edges.items() if edge is not None},
    }


def alias(row: CustomerAlias, *, workspace: Workspace) -> dict[str, Any]:
    shown = {
        "id": str(public_id(row.pk, row.created_at)),
        "sequenceAccountId": workspace.code,
        "customerId": str(row.customer_id),
        "value": row.value,
        "createdAt": moment(row.created_at),
    }
    return shown | ({"label": row.label} if row.label else {})


def customer(row: Customer) -> dict[str, Any]:
    """Return a customer; town, postcode and country are unknown, since addresses are free text here.

    The vendor's countries are codes: typed clients would refuse a customer whose country is an empty text.
    """
    first, _, rest = row.address.replace("\r\n", "\n").partition("\n")
    address: dict[str, Any] = {"line1": first, "town": "", "postcode": "", "country": None}
    return {
        "id": str(row.pk),
        "createdAt": moment(row.created_at),
        "legalName": row.name,
        "address": address | ({"line2": rest.replace("\n", ", ")} if rest else {}),
        "email": row.email,
        "billingEmails": [row.email] if row.email else [],
        "integrationIds": [],
        "taxStatus": "TAXED",
    }


def moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
