"""Queries of entries."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.db.models import Q, TextField, Value
from django.db.models.functions import Cast, Replace
from rest_framework import serializers

from billing.models import Line
from usage.dialects.shared.fields import QuantityField
from usage.models import UsageRecordQuerySet


def entries(records: UsageRecordQuerySet, *, lines: Sequence[Line], asked: Mapping[str, Any]) -> UsageRecordQuerySet:
    """Return the records of the lines that match the query parameters, the newest usage first."""
    shown = ("id", "key", "quantity", "occurred_at", "properties", "line__subscription", "line__brick")
    found = records.filter(line__in=lines).select_related("line").only(*shown)
    if "starts_at" in asked:
        found = found.filter(occurred_at__gte=asked["starts_at"])
    if "ends_at" in asked:
        found = found.filter(occurred_at__lt=asked["ends_at"])
    if asked["search"]:
        found = _having(found, asked["search"])
    return found.order_by("-occurred_at", "-id")


def _having(records: UsageRecordQuerySet, text: str) -> UsageRecordQuerySet:
    """Filter records by a text in their transaction or properties, or by exactly this value."""
    # PostgreSQL's JSON text has spaces, SQLite's has none.
    properties = Replace(Cast("properties", TextField()), Value(" "), Value(""), output_field=TextField())
    match = Q(key__icontains=text) | Q(properties_text__icontains=text.replace(" ", ""))
    with suppress(serializers.ValidationError):
        match |= Q(quantity=QuantityField().to_internal_value(text))
    return records.alias(properties_text=properties).filter(match)
