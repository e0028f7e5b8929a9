"""What Sequence's clients are answered, for the OpenAPI document; ``translate`` makes it."""
# ruff: noqa: N815  (the vendor's names)

from rest_framework import serializers

from usage.dialects.sequence.serializers import AGGREGATION_TYPES, METRIC_TYPES


class PaginationReply(serializers.Serializer):
    after = serializers.CharField(required=False)
    before = serializers.CharField(required=False)


class EventReply(serializers.Serializer):
    id = serializers.UUIDField()
    customerEventId = serializers.CharField()
    customerAlias = serializers.CharField()
    eventType = serializers.CharField()
    sequenceAccountId = serializers.CharField()
    eventTimestamp = serializers.DateTimeField()
    eventProperties = serializers.DictField()


class EventPageReply(serializers.Serializer):
    items = EventReply(many=True)
    pagination = PaginationReply()


class MetricReply(serializers.Serializer):
    id = serializers.UUIDField()
    sequenceAccountId = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    metricType = serializers.ChoiceField(METRIC_TYPES[:1])
    eventType = serializers.CharField()
    aggregationType = serializers.ChoiceField(AGGREGATION_TYPES[:3])
    aggregationProperty = serializers.CharField(allow_null=True)
    groupingProperty = serializers.CharField(allow_null=True)
    unit = serializers.CharField()
    createdAt = serializers.DateTimeField()
    deletedAt = serializers.DateTimeField(allow_null=True)
    propertyFilters = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    propertiesToNegate = serializers.ListField(child=serializers.CharField())
    caseSensitive = serializers.BooleanField()
    parameters = serializers.ListField(child=serializers.DictField(), max_length=0)


class MetricPageReply(serializers.Serializer):
    items = MetricReply(many=True)
    pagination = PaginationReply()


class CalculationReply(serializers.Serializer):
    name = serializers.CharField()
    metricType = serializers.ChoiceField(METRIC_TYPES[:1])
    eventType = serializers.CharField()
    aggregationType = serializers.ChoiceField(AGGREGATION_TYPES[:3])
    eventCount = serializers.IntegerField()
    value = serializers.FloatField(help_text="All digits of the exact decimal.")
    unit = serializers.CharField()
    minEventId = serializers.UUIDField(required=False)
    maxEventId = serializers.UUIDField(required=False)


class AliasReply(serializers.Serializer):
    id = serializers.UUIDField()
    sequenceAccountId = serializers.CharField()
    customerId = serializers.UUIDField()
    value = serializers.CharField()
    createdAt = serializers.DateTimeField()
    deletedAt = serializers.DateTimeField(required=False)
    label = serializers.CharField(required=False)  # type: ignore[assignment]  # fields have labels too


class AliasPageReply(serializers.Serializer):
    items = AliasReply(many=True)
    pagination = PaginationReply()


class AliasesReply(serializers.Serializer):
    items = AliasReply(many=True)


class AddressReply(serializers.Serializer):
    line1 = serializers.CharField()
    line2 = serializers.CharField(required=False)
    town = serializers.CharField()
    postcode = serializers.CharField()
    country = serializers.CharField(allow_null=True)


class CustomerReply(serializers.Serializer):
    id = serializers.UUIDField()
    createdAt = serializers.DateTimeField()
    legalName = serializers.CharField()
    address = AddressReply()
    email = serializers.CharField()
    billingEmails = serializers.ListField(child=serializers.CharField())
    integrationIds = serializers.ListField(child=serializers.DictField(), max_length=0)
    taxStatus = serializers.ChoiceField(["TAXED"])
