"""What Salesbricks' clients may send. Until it was renamed, ``value`` was called ``count`` on counters."""

from typing import Any

from rest_framework import serializers

from usage.dialects.shared.fields import AnyJSONField, CountField, MomentOrDayField, NamingField

DEPRECATED = "count"


class TransactionSerializer(serializers.Serializer):
    transaction_id = NamingField(max_length=255)


class _Entry(TransactionSerializer):
    subscription_id = serializers.UUIDField()
    brick_id = serializers.UUIDField()
    time = MomentOrDayField()
    properties = AnyJSONField(required=False, allow_null=True, default=None)


class _Change(TransactionSerializer):
    properties = AnyJSONField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.keys() <= {"transaction_id"}:
            raise serializers.ValidationError("Give a value or properties to change.")
        return attrs


class EntrySerializer(_Entry):
    value = CountField()


class ChangeSerializer(_Change):
    value = CountField(required=False)


class _Counted(serializers.Serializer):
    def to_internal_value(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("value") is not None:
            raise serializers.ValidationError({DEPRECATED: ["Give either 'value' or 'count', not both."]})
        return super().to_internal_value(data)


class CountedEntrySerializer(_Counted, _Entry):
    count = CountField(source="value")


class CountedChangeSerializer(_Counted, _Change):
    count = CountField(source="value")
