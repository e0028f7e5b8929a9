import uuid
from datetime import tzinfo
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from billing.models import Line
from usage import consumption, ledger
from usage.consumption import BucketSize, SpanRefused
from usage.dialects.salesbricks_v2 import translate
from usage.dialects.salesbricks_v2.errors import STYLE
from usage.dialects.salesbricks_v2.queries import EntriesQuery, EntryPagination, PeriodsQuery, SeriesQuery, entries
from usage.dialects.salesbricks_v2.replies import (
    BrickUsageSerializer,
    EntryPageSerializer,
    MessageSerializer,
    SentEntrySerializer,
    SeriesSerializer,
    WarnedMessageSerializer,
)
from usage.dialects.salesbricks_v2.serializers import (
    ChangeSerializer,
    CountedChangeSerializer,
    CountedEntrySerializer,
    EntrySerializer,
    TransactionSerializer,
)
from usage.dialects.shared import lists, unread_events
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.paths import as_written
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.view import DialectView
from usage.models import UsageRecord, UsageRecordQuerySet


class HeaderAuthentication(KeyAuthentication):
    security = {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-SALESBRICKS-KEY"}}

    def key_text(self, request: Request) -> str:
        text = request.META.get("HTTP_X_SALESBRICKS_KEY", "").strip()
        if not text:
            raise exceptions.NotAuthenticated
        return text

    def authenticate_header(self, request: Request) -> str:
        return "X-SALESBRICKS-KEY"


# What a search box or a pager may leave empty; an empty time would answer with all times.
_MAY_BE_EMPTY = ("limit", "offset", "search", "window", "currentPeriod")


class SalesbricksView(DialectView):
    dialect = "salesbricks_v2"
    error_style = STYLE
    authentication_classes = (HeaderAuthentication,)
    idempotency_header = "X-SALESBRICKS-IDEMPOTENT-OPERATION-KEY"
    # By the vendor's word: success or failure.
    keeps_failures = True
    cors_headers = ("X-SALESBRICKS-KEY", "Content-Type")

    def records(self) -> UsageRecordQuerySet:
        """Return the workspace's live entries that came with a transaction id."""
        return UsageRecord.objects.live().filter(
            workspace=self.workspace, dialect=self.dialect, key__isnull=False, line__isnull=False
        )


class UsageView(SalesbricksView):
    @extend_schema(operation_id="createUsageEntry", request=EntrySerializer, responses={201: WarnedMessageSerializer})
    def post(self, request: Request) -> Response:
        counted = translate.uses_deprecated(request.data)
        data = self.validated(CountedEntrySerializer if counted else EntrySerializer, request.data)
        ledger.record(command=translate.record_usage(data, origin=self.origin), recorded_at=timezone.now())
        answer = translate.message("Usage entry submitted successfully.", sent=request.data)
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="updateUsageEntry", request=ChangeSerializer, responses=WarnedMessageSerializer)
    def patch(self, request: Request) -> Response:
        counted = translate.uses_deprecated(request.data)
        data = self.validated(CountedChangeSerializer if counted else ChangeSerializer, request.data)
        ledger.correct(command=translate.correct_usage(data, origin=self.origin), recorded_at=timezone.now())
        return Response(translate.message("Usage entry updated successfully.", sent=request.data))

    @extend_schema(
        operation_id="deleteUsageEntry",
        request={"application/json": TransactionSerializer},
        parameters=[OpenApiParameter("transaction_id", str, description="Where the request has no body.")],
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request) -> Response:
        sent = request.data
        if not sent:
            refuse_unknown(request.query_params, TransactionSerializer().fields)
            sent = request.query_params.dict()
        data = self.validated(TransactionSerializer, sent)
        ledger.retract(command=translate.retract_usage(data, origin=self.origin), recorded_at=timezone.now())
        return Response({"message": "Usage entry deleted successfully."})


class TransactionView(SalesbricksView):
    @extend_schema(
        operation_id="getUsageTransaction",
        parameters=[OpenApiParameter("transaction_id", str, OpenApiParameter.PATH)],
        responses=SentEntrySerializer,
    )
    def get(self, request: Request, transaction_id: str) -> Response:
        for text in as_written(transaction_id):
            key = self.validated(TransactionSerializer, {"transaction_id": text})["transaction_id"]
            record = self.records().filter(key=key).select_related("line").first()
            if record is not None:
                return Response(translate.entry(record))
        raise exceptions.NotFound("Usage entry does not exist.")


@extend_schema(
    parameters=[
        OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH) for name in ("subscription_id", "brick_id")
    ]
)
class BrickView(SalesbricksView):
    """A read of one brick in a subscription."""

    cors_exposed = (unread_events.HEADER,)

    @property
    def naive_zone(self) -> tzinfo:
        return self.workspace.tz

    def asked(self, query: type[Serializer]) -> dict[str, Any]:
        sent = self.request.query_params
        refuse_unknown(sent, query().fields, optional=_MAY_BE_EMPTY)
        return self.validated(query, {name: text for name, text in sent.items() if text})

    def lines(self, subscription_id: str, brick_id: str) -> list[Line]:
        try:
            ids = uuid.UUID(subscription_id), uuid.UUID(brick_id)
        except ValueError:
            raise exceptions.NotFound from None
        return consumption.lines_of_brick(workspace=self.workspace, subscription_id=ids[0], brick_id=ids[1])


class PeriodsView(BrickView):
    @extend_schema(
        operation_id="getBrickUsage",
        parameters=[PeriodsQuery, unread_events.IN_REPLY],
        responses=PolymorphicProxySerializer(
            component_name="BrickUsages",
            serializers=[BrickUsageSerializer, BrickUsageSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request, **ids: str) -> Response:
        """Each billing period that has begun; with `currentPeriod`, the one object of the period that runs."""
        asked, lines, now = self.asked(PeriodsQuery), self.lines(**ids), timezone.now()
        if asked["currentPeriod"]:
            current = consumption.used_in_current_period(lines=lines, as_of=now)
            if current is None:
                raise exceptions.NotFound("The brick is in no billing period that is running.")
            return Response(translate.period(current), headers=unread_events.told(current.unread_count))
        try:
            used = consumption.used_by_period(
                lines=lines, as_of=now, starts_from=asked.get("starts_at"), ends_by=asked.get("ends_at")
            )
        except SpanRefused as refusal:
            raise exceptions.ValidationError({translate.SPAN_FIELDS[refusal.field]: [str(refusal)]}) from refusal
        count = sum(one.unread_count for one in used)
        return Response([translate.period(one) for one in used], headers=unread_events.told(count))


class SeriesView(BrickView):
    @extend_schema(
        operation_id="getBrickUsageSeries", parameters=[SeriesQuery, unread_events.IN_REPLY], responses=SeriesSerializer
    )
    def get(self, request: Request, **ids: str) -> Response:
        asked, lines = self.asked(SeriesQuery), self.lines(**ids)
        size = asked.pop("window")
        try:
            buckets = consumption.used_by_bucket(lines=lines, size=BucketSize(size), as_of=timezone.now(), **asked)
        except SpanRefused as refusal:
            raise exceptions.ValidationError({translate.SPAN_FIELDS[refusal.field]: [str(refusal)]}) from refusal
        count = sum(one.unread_count for one in buckets)
        return Response(translate.series(buckets, line=lines[-1], window=size), headers=unread_events.told(count))


class EntriesView(BrickView):
    @extend_schema(operation_id="listUsageEntries", parameters=[EntriesQuery], responses=EntryPageSerializer)
    def get(self, request: Request, **ids: str) -> Response:
        asked, lines = self.asked(EntriesQuery), self.lines(**ids)
        paginator = EntryPagination()
        found = entries(self.records(), lines=lines, asked=asked)
        with lists.within_time(narrow_by="from and to"):
            page: list[UsageRecord] = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([translate.entry(record) for record in page])
