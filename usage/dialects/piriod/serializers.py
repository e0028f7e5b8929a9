"""Serializers of usages as Piriod's clients send and receive them."""

from rest_framework import serializers

from usage.dialects.piriod.fields import LineField
from usage.dialects.shared.fields import MomentField, MomentOrDayField, QuantityField
from usage.models import UsageRecord


class UsageSerializer(serializers.Serializer):
    id = serializers.IntegerField(read_only=True)
    subscription_line = LineField()
    date_time = MomentOrDayField()
    quantity = QuantityField()
    creation_scheme = serializers.ChoiceField(UsageRecord.Source.choices, read_only=True)
    created = MomentField(read_only=True)


class UsagePageSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageSerializer(many=True)
