"""Views of usage metrics: bricks that count events by a rule. A change replaces the rule for open periods."""
# ruff: noqa: N815  (the vendor's names)

from datetime import tzinfo
from functools import partial
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import catalog, contracts
from billing.models import Brick, EventRule
from usage.dialects.sequence import rows, translate
from usage.dialects.sequence.base import SequenceView, uuid_in_path
from usage.dialects.sequence.calculation import calculate
from usage.dialects.sequence.fields import CommaSeparatedField, FiltersField, NameField, NamesField, PeriodEdgeField
from usage.dialects.sequence.pagination import PageSerializer, PaginationReply, page
from usage.dialects.shared import unread_events
from usage.ledger import find_customers
from usage.metering import EVENTS

METRIC_TYPES = ("SIMPLE", "GROUPED")
AGGREGATION_TYPES = ("COUNT", "SUM", "UNIQUE", "CUSTOM")


class MetricSerializer(serializers.Serializer):
    """A complete metric, to create or replace one."""

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
            refused["metricType"] = ["Grouping is not supported: a metric has one quantity. Use SIMPLE."]
        elif attrs["groupingProperty"]:
            refused["groupingProperty"] = ["Grouping is not supported: a metric has one quantity."]
        if attrs["aggregationType"] == "CUSTOM":
            refused["aggregationType"] = ["Custom aggregations are not supported. Use COUNT, SUM or UNIQUE."]
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
            raise serializers.ValidationError({"periodEnd": ["The end of the period is before its start."]})
        return attrs


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


class MetricsView(SequenceView):
    @extend_schema(operation_id="listUsageMetrics", parameters=[MetricQuerySerializer], responses=MetricPageReply)
    def get(self, request: Request) -> Response:
        asked = self.asked(MetricQuerySerializer)
        show = partial(translate.metric, workspace=self.workspace)
        found = rows.listed_metrics(self.workspace, asked)
        return Response(page(found, asked, by="first_rule", sized="filters", show=show))

    @extend_schema(operation_id="createUsageMetric", request=MetricSerializer, responses={201: MetricReply})
    def post(self, request: Request) -> Response:
        data = self.validated(MetricSerializer, request.data)
        brick = catalog.create_brick(
            workspace=self.workspace,
            aggregation=EVENTS.name,
            rule=translate.event_terms(data),
            as_of=timezone.now(),
            **translate.brick_fields(data),
            actor=self.actor,
        )
        made = rows.metrics(self.workspace).get(brick=brick)
        return Response(translate.metric(made, workspace=self.workspace), status=status.HTTP_201_CREATED)


class OneMetricView(SequenceView):
    def metric(self, told: str) -> EventRule:
        found = rows.metrics(self.workspace).filter(brick=uuid_in_path(told)).first()
        if found is None:
            raise exceptions.NotFound
        return found

    def live_metric(self, told: str) -> EventRule:
        found = self.metric(told)
        if found.brick.archived_at is not None:
            raise exceptions.NotFound
        return found


class MetricView(OneMetricView):
    @extend_schema(operation_id="retrieveUsageMetric", responses=MetricReply)
    def get(self, request: Request, metric_id: str) -> Response:
        return Response(translate.metric(self.metric(metric_id), workspace=self.workspace))

    @extend_schema(operation_id="updateUsageMetric", request=MetricSerializer, responses=MetricReply)
    def put(self, request: Request, metric_id: str) -> Response:
        brick = self.live_metric(metric_id).brick
        data = self.validated(MetricSerializer, request.data)
        catalog.update_brick(
            brick=brick,
            rule=translate.event_terms(data),
            as_of=timezone.now(),
            **translate.brick_fields(data),
            actor=self.actor,
        )
        return Response(translate.metric(self.metric(metric_id), workspace=self.workspace))

    @extend_schema(operation_id="deleteUsageMetric", responses={200: MetricReply})
    def delete(self, request: Request, metric_id: str) -> Response:
        brick, now = self.live_metric(metric_id).brick, timezone.now()
        if contracts.has_open_lines(brick, as_of=now):
            raise exceptions.ValidationError("Subscriptions use this metric: end their lines first.")
        catalog.archive_brick(brick=brick, as_of=now, actor=self.actor)
        return Response(translate.metric(self.metric(metric_id), workspace=self.workspace))


class CalculationView(OneMetricView):
    cors_exposed = (unread_events.HEADER,)

    @property
    def naive_zone(self) -> tzinfo:
        return self.workspace.tz

    @extend_schema(
        operation_id="calculateUsageMetric",
        parameters=[CalculationSerializer, unread_events.PARAMETER],
        responses=CalculationReply,
    )
    def get(self, request: Request, metric_id: str) -> Response:
        rule = self.metric(metric_id)
        asked = self.asked(CalculationSerializer, ignored=("customParameters",))
        named = find_customers(asked["customerAliases"], workspace_id=self.workspace.pk)
        if unknown := [name for name in asked["customerAliases"] if name not in named]:
            raise exceptions.ValidationError(
                {"customerAliases": [f"There is no customer “{name}”." for name in unknown]}
            )
        calculation = calculate(
            rule=rule,
            customer_ids=sorted(set(named.values())),
            starts_at=asked["periodStart"],
            ends_at=asked["periodEnd"],
        )
        shown = translate.calculation(calculation, rule=rule)
        return Response(shown, headers=unread_events.header(calculation.unread_count))
