"""Serializers of usage records: input and output."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from billing.money import format_decimal
from usage.ahead import too_far_ahead
from usage.dialects.native.errors import ProblemSerializer, WrongSerializer
from usage.dialects.native.fields import (
    WHOLE,
    IdField,
    MomentField,
    NumberField,
    NumberText,
    TextField,
    WordField,
    as_utc,
)
from usage.dialects.native.translate import LONGEST_NOTE, LONGEST_TEXT
from usage.dialects.shared.fields import AnyJSONField
from usage.ledger import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT
from usage.models import UsageRecord


@extend_schema_field({"oneOf": [WHOLE, {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}]})
class LineNameField(serializers.Field):
    """A line by its id, a number, or by its reference, a string."""


class AnyPropertiesField(AnyJSONField):
    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "object", "additionalProperties": {}})
class PropertiesField(AnyPropertiesField):
    """An object with any members; the ledger refuses what it cannot store."""

    default_error_messages = {"invalid": "Must be an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


class QuantityField(NumberField):
    def __init__(self, **options: Any) -> None:
        super().__init__(before=DIGITS_BEFORE_POINT, after=DIGITS_AFTER_POINT, **options)


class _Reported(serializers.Serializer):
    occurred_at = MomentField(
        help_text="The time of usage, which determines the period. Without an offset it is in UTC."
    )
    key = TextField(
        max_length=LONGEST_TEXT,
        required=False,
        allow_null=True,
        help_text="The sender's own id of the record: a repeated one is refused, so nothing is counted twice.",
    )
    properties = PropertiesField(required=False, allow_null=True)


class _ReportedQuantity(_Reported):
    quantity = QuantityField()
    note = TextField(max_length=LONGEST_NOTE, required=False, allow_null=True, allow_blank=True)


class UsageOfLineSerializer(_ReportedQuantity):
    line = LineNameField(help_text="By id or reference.")


class UsageOfBrickSerializer(_ReportedQuantity):
    subscription = TextField(max_length=LONGEST_TEXT, help_text="By id or reference.")
    brick = TextField(max_length=LONGEST_TEXT, help_text="By id or reference: its line that was active at that time.")


class EventSerializer(_Reported):
    customer_alias = TextField(max_length=LONGEST_TEXT, help_text="An alias, the id or the reference of a customer.")
    event_type = TextField(max_length=LONGEST_TEXT)


NEW_RECORD = PolymorphicProxySerializer(
    component_name="NewUsage",
    serializers=[UsageOfLineSerializer, UsageOfBrickSerializer, EventSerializer],
    resource_type_field_name=None,
)


class RecordsField(serializers.Field):
    """The records of a batch. Other values in the list are refused individually, so the schema allows them."""


class RecordsSchema(OpenApiSerializerFieldExtension):
    target_class = RecordsField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        record = auto_schema.resolve_serializer(NEW_RECORD, direction).ref
        return {
            "type": "array",
            "items": {"anyOf": [record, {}]},
            "minItems": 1,
            "maxItems": settings.RECORDS_PER_BATCH,
        }


class BatchSerializer(serializers.Serializer):
    records = RecordsField()


class RecordSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="handle", help_text="Stays the same when the record is corrected.")
    revision = serializers.IntegerField(
        source="pk", help_text="The ledger id of this version; each correction has a greater one."
    )
    kind = WordField(choices=UsageRecord.Kind.choices)
    is_live = serializers.BooleanField(help_text="Whether it counts.")
    line = serializers.IntegerField(source="line_number", allow_null=True, help_text="By its id.")
    customer = IdField(
        source="customer_id", allow_null=True, help_text="For an event: the customer that its alias resolved to."
    )
    customer_alias = TextField(allow_null=True)
    event_type = TextField(allow_null=True)
    quantity = NumberText(allow_null=True)
    occurred_at = MomentField()
    recorded_at = MomentField()
    is_late = serializers.BooleanField(help_text="Its period was already closed; the next close bills the difference.")
    key = TextField(allow_null=True)
    source = WordField(choices=UsageRecord.Source.choices)  # type: ignore[assignment]  # a field, not the property
    dialect = TextField()
    recorded_by = TextField()
    note = TextField(allow_blank=True)
    properties = AnyPropertiesField(allow_null=True)


class CorrectionSerializer(serializers.Serializer):
    quantity = QuantityField(required=False)
    occurred_at = MomentField(required=False)
    properties = PropertiesField(required=False, allow_null=True)
    note = TextField(max_length=LONGEST_NOTE, required=False, allow_blank=True, help_text="Why.")

    def validate_occurred_at(self, moment: datetime) -> datetime:
        if ahead := too_far_ahead(moment, as_of=timezone.now()):
            raise serializers.ValidationError(ahead)
        return moment

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"quantity", "occurred_at", "properties"}:
            raise serializers.ValidationError("Give at least one of quantity, occurred_at and properties.")
        return attrs


OUTCOMES = ("recorded", "duplicate", "refused")


class OutcomeSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="The record's position in the request, from 0.")
    status = WordField(choices=OUTCOMES)
    id = serializers.IntegerField(
        required=False, help_text="The id of the record; for a duplicate, of the record that has its key."
    )
    errors = WrongSerializer(  # type: ignore[assignment]  # a field, not the property
        many=True, required=False, help_text="The reasons for the refusal."
    )


class BatchReplySerializer(serializers.Serializer):
    recorded = serializers.IntegerField(help_text="The number of new records.")
    duplicate = serializers.IntegerField(help_text="The number of records whose key is already in use.")
    refused = serializers.IntegerField(help_text="The number of refused records.")
    results = OutcomeSerializer(many=True)


class TakenSerializer(ProblemSerializer):
    record = serializers.IntegerField(required=False, help_text="The record that has the key.")


def show(record: UsageRecord) -> dict[str, Any]:
    """Return the body that ``RecordSerializer`` describes, without its fields, which would take a tenth of the time."""
    return {
        "id": record.handle,
        "revision": record.pk,
        "kind": record.kind,
        "is_live": record.is_live,
        "line": record.line_number,  # type: ignore[attr-defined]  # annotated
        "customer": None if record.customer_id is None else str(record.customer_id),
        "customer_alias": record.customer_alias,
        "event_type": record.event_type,
        "quantity": None if record.quantity is None else format_decimal(record.quantity),
        "occurred_at": as_utc(record.occurred_at),
        "recorded_at": as_utc(record.recorded_at),
        "is_late": record.is_late,
        "key": record.key,
        "source": record.source,
        "dialect": record.dialect,
        "recorded_by": record.recorded_by,
        "note": record.note,
        "properties": record.properties,
    }
