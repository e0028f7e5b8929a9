"""What reads may ask for, and which entries answer. Days, and times without an offset, are the workspace's."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, TextField, Value
from django.db.models.functions import Cast, Replace
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from billing.calendar import end_of
from billing.models import Line
from usage.consumption import BucketSize
from usage.dialects.shared import lists
from usage.dialects.shared.fields import NotAMoment, QuantityField, is_day, parse_moment_or_day
from usage.models import UsageRecordQuerySet

_MICROSECOND = timedelta(microseconds=1)


@extend_schema_field({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]})
class BoundaryField(serializers.Field):
    """A time, or the start of a day; as an end that ``is_included``, the first moment after the time or the day."""

    def __init__(self, *, is_included: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.is_included = is_included

    def to_internal_value(self, data: str) -> datetime:
        zone = self.context["zone"]
        try:
            moment = parse_moment_or_day(data, zone=zone)
        except NotAMoment as error:
            raise serializers.ValidationError(str(error)) from error
        if not self.is_included:
            return moment
        return end_of(date.fromisoformat(data), tz=zone) if is_day(data) else moment + _MICROSECOND


class _SpanQuery(serializers.Serializer):
    includes_end = False

    def get_fields(self) -> dict[str, serializers.Field]:
        # "from" is a word of Python's own, and can't be the name of an attribute.
        starts_at = BoundaryField(source="starts_at", required=False)
        ends_at = BoundaryField(source="ends_at", required=False, is_included=self.includes_end)
        return {"from": starts_at, "to": ends_at, **super().get_fields()}


class PeriodsQuery(_SpanQuery):
    currentPeriod = serializers.BooleanField(default=False)  # noqa: N815  (the vendor's name)


class SeriesQuery(_SpanQuery):
    window = serializers.ChoiceField([size.value for size in BucketSize], default=BucketSize.DAY.value)


class EntryPagination(LimitOffsetPagination):
    default_limit = 25
    max_limit = 100

    def get_offset(self, request: Request) -> int:
        offset: int = super().get_offset(request)
        lists.check_offset(offset, parameter=self.offset_query_param)
        return offset


class EntriesQuery(_SpanQuery):
    includes_end = True

    limit = serializers.IntegerField(min_value=1, default=EntryPagination.default_limit)
    offset = serializers.IntegerField(min_value=0, default=0)
    search = serializers.CharField(default="", max_length=255, allow_blank=True)


def entries(records: UsageRecordQuerySet, *, lines: Sequence[Line], asked: Mapping[str, Any]) -> UsageRecordQuerySet:
    """Return those of the records that the lines have and a query asks for, the newest usage first."""
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
    """Leave the records with the text in their transaction or properties, or with exactly that value."""
    # PostgreSQL writes JSON with spaces, SQLite keeps it without.
    properties = Replace(Cast("properties", TextField()), Value(" "), Value(""), output_field=TextField())
    match = Q(key__icontains=text) | Q(properties_text__icontains=text.replace(" ", ""))
    with suppress(serializers.ValidationError):
        match |= Q(quantity=QuantityField().to_internal_value(text))
    return records.alias(properties_text=properties).filter(match)
