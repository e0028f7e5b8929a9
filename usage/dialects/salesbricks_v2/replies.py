"""What is answered, for the API's document."""

from rest_framework import serializers

from usage.consumption import BucketSize
from usage.dialects.shared.fields import AnyJSONField, MomentField, QuantityField


class WarningSerializer(serializers.Serializer):
    code = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()


class MessageSerializer(serializers.Serializer):
    message = serializers.CharField()


class WarnedMessageSerializer(MessageSerializer):
    warnings = WarningSerializer(many=True, required=False)


class SentEntrySerializer(serializers.Serializer):
    transaction_id = serializers.CharField()
    subscription_id = serializers.UUIDField()
    brick_id = serializers.UUIDField()
    value = QuantityField()
    time = MomentField()
    properties = AnyJSONField(allow_null=True)


class EntryPageSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SentEntrySerializer(many=True)


class BrickUsageSerializer(serializers.Serializer):
    starts_at = MomentField()
    ends_at = MomentField()
    subscription_id = serializers.UUIDField()
    brick_id = serializers.UUIDField()
    brick_name = serializers.CharField()
    pre_commitment = QuantityField()
    used = QuantityField()
    overages = QuantityField()
    remaining = QuantityField()
    unit = serializers.CharField()
    overage_rate = serializers.CharField(allow_null=True)


class BucketSerializer(serializers.Serializer):
    starts_at = MomentField()
    ends_at = MomentField()
    count = QuantityField()


class SeriesSerializer(serializers.Serializer):
    subscription_id = serializers.UUIDField()
    brick_id = serializers.UUIDField()
    brick_name = serializers.CharField()
    unit = serializers.CharField()
    window = serializers.ChoiceField([size.value for size in BucketSize])
    buckets = BucketSerializer(many=True)
