"""What Sequence's clients may send, in bodies and in queries."""
# ruff: noqa: N815  (the vendor's names)

from typing import Any

from rest_framework import serializers

from billing.models import Brick
from usage.dialects.sequence.fields import (
    MAX_NAME,
    CommaSeparatedField,
    FiltersField,
    NameField,
    NamesField,
    ObjectField,
    PeriodEdgeField,
    RepeatedField,
)
from usage.dialects.sequence.pagination import ASC, DESC, PageSerializer
from usage.dialects.shared.fields import MomentField
from usage.dialects.shared.query_parameters import WholeField

METRIC_TYPES = ("SIMPLE", "GROUPED")
AGGREGATION_TYPES = ("COUNT", "SUM", "UNIQUE", "CUSTOM")
LARGEST_OFFSET = 2**31 - 1


class EventSerializer(serializers.Serializer):
    customerEventId = NameField(required=False, allow_null=True, default=None)
    customerAlias = NameField()
    eventType = NameField()
    eventTimestamp = MomentField(required=False, allow_null=True, default=None)
    eventProperties = ObjectField(required=False, allow_null=True, default=None)


class EventQuerySerializer(PageSerializer):
    offset = WholeField(required=False, min_value=0, max_value=LARGEST_OFFSET, default=0)
    sortOrder = serializers.ChoiceField([ASC, DESC], required=False, default=DESC)
    sortBy = serializers.ChoiceField(["createdAt"], required=False)
    customerAlias = RepeatedField(required=False)
    unmappedAliasesOnly = serializers.BooleanField(required=False, default=False)
    eventType = NameField(required=False)
    eventId = serializers.UUIDField(required=False)
    eventTimestampBefore = MomentField(required=False)
    eventTimestampAfter = MomentField(required=False)


class MetricSerializer(serializers.Serializer):
    """A metric as a whole: to make one, and to replace one."""

    name = serializers.CharField(max_length=Brick._meta.get_field("name").max_length)
    description = serializers.CharField(
        max_length=Brick._meta.get_field("description").max_length,
        required=False,
        allow_null=True,
        allow_blank=True,
        default=None,
    )
    metricType = serializers.ChoiceField(METRIC_TYPES)
    eventType = NameField()
    aggregationType = serializers.ChoiceField(AGGREGATION_TYPES)
    aggregationProperty = NameField(required=False, allow_null=True, allow_blank=True, default=None)
    groupingProperty = NameField(required=False, allow_null=True, allow_blank=True, default=None)
    unit = serializers.CharField(
        max_length=Brick._meta.get_field("unit_label").max_length,
        required=False,
        allow_null=True,
        allow_blank=True,
        default=None,
    )
    propertyFilters = FiltersField(required=False, allow_null=True, default=None)
    propertiesToNegate = NamesField(required=False, allow_null=True, default=None)
    caseSensitive = serializers.BooleanField(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        refused = {}
        if attrs["metricType"] == "GROUPED":
            refused["metricType"] = ["Grouping is not offered: a metric makes one quantity. Use SIMPLE."]
        elif attrs["groupingProperty"]:
            refused["groupingProperty"] = ["Grouping is not offered: a metric makes one quantity."]
        if attrs["aggregationType"] == "CUSTOM":
            refused["aggregationType"] = ["There are no custom aggregations. Use COUNT, SUM or UNIQUE."]
        if refused:
            raise serializers.ValidationError(refused)
        return attrs


class MetricQuerySerializer(PageSerializer):
    name = NameField(required=False)
    id = NameField(required=False)
    eventType = CommaSeparatedField(required=False)
    eventProperty = CommaSeparatedField(required=False)
    aggregationType = CommaSeparatedField(required=False, choices=AGGREGATION_TYPES)


class CalculationSerializer(serializers.Serializer):
    customerAliases = CommaSeparatedField()
    periodStart = PeriodEdgeField(is_end=False)
    periodEnd = PeriodEdgeField(is_end=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["periodEnd"] <= attrs["periodStart"]:
            raise serializers.ValidationError({"periodEnd": ["The period ends before it starts."]})
        return attrs


class LabelField(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_NAME, required=False, allow_null=True, allow_blank=True, **options)


class AliasSerializer(serializers.Serializer):
    customerId = NameField()
    value = NameField()
    label = LabelField(default=None)  # type: ignore[assignment]  # fields have labels too


class AliasChangeSerializer(serializers.Serializer):
    label = LabelField()  # type: ignore[assignment]  # as above


class AliasQuerySerializer(PageSerializer):
    value = NameField(required=False)
