"""Views of a brick's usage in a subscription: by billing period, and as a series of hours, days, weeks or months."""

from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from usage import consumption
from usage.consumption import BucketSize, SpanRefused
from usage.dialects.salesbricks_v2 import translate
from usage.dialects.salesbricks_v2.base import BrickView
from usage.dialects.salesbricks_v2.query_parameters import SpanQuery
from usage.dialects.shared import unread_events
from usage.dialects.shared.fields import MomentField, QuantityField


class PeriodsQuery(SpanQuery):
    currentPeriod = serializers.BooleanField(default=False)  # noqa: N815  (the vendor's name)


class SeriesQuery(SpanQuery):
    window = serializers.ChoiceField([size.value for size in BucketSize], default=BucketSize.DAY.value)


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


class PeriodsView(BrickView):
    @extend_schema(
        operation_id="getBrickUsage",
        parameters=[PeriodsQuery, unread_events.PARAMETER],
        responses=PolymorphicProxySerializer(
            component_name="BrickUsages",
            serializers=[BrickUsageSerializer, BrickUsageSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request, **ids: str) -> Response:
        """Return each billing period that has started; with `currentPeriod`, only the current period, as one object."""
        asked, lines, now = self.asked(PeriodsQuery), self.lines(**ids), timezone.now()
        if asked["currentPeriod"]:
            current = consumption.used_in_current_period(lines=lines, as_of=now)
            if current is None:
                raise exceptions.NotFound("The brick has no current billing period.")
            return Response(translate.period(current), headers=unread_events.header(current.unread_count))
        try:
            used = consumption.used_by_period(
                lines=lines, as_of=now, starts_from=asked.get("starts_at"), ends_by=asked.get("ends_at")
            )
        except SpanRefused as refusal:
            raise exceptions.ValidationError({translate.SPAN_FIELDS[refusal.field]: [str(refusal)]}) from refusal
        count = sum(one.unread_count for one in used)
        return Response([translate.period(one) for one in used], headers=unread_events.header(count))


class SeriesView(BrickView):
    @extend_schema(
        operation_id="getBrickUsageSeries",
        parameters=[SeriesQuery, unread_events.PARAMETER],
        responses=SeriesSerializer,
    )
    def get(self, request: Request, **ids: str) -> Response:
        asked, lines = self.asked(SeriesQuery), self.lines(**ids)
        size = asked.pop("window")
        try:
            buckets = consumption.used_by_bucket(lines=lines, size=BucketSize(size), as_of=timezone.now(), **asked)
        except SpanRefused as refusal:
            raise exceptions.ValidationError({translate.SPAN_FIELDS[refusal.field]: [str(refusal)]}) from refusal
        count = sum(one.unread_count for one in buckets)
        return Response(translate.series(buckets, line=lines[-1], window=size), headers=unread_events.header(count))
