"""Views that submit, change, delete, read and list usage entries, which have the sender's ``transaction_id``.

``count`` is the former name of ``value`` on counters.
"""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.salesbricks_v2 import rows, translate
from usage.dialects.salesbricks_v2.base import BrickView, SalesbricksView
from usage.dialects.salesbricks_v2.query_parameters import SpanQuery
from usage.dialects.salesbricks_v2.translate import DEPRECATED
from usage.dialects.shared import lists
from usage.dialects.shared.fields import (
    AnyJSONField,
    CountField,
    IdField,
    MomentField,
    MomentOrDayField,
    NamingField,
    QuantityField,
)
from usage.dialects.shared.paths import as_written
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.models import UsageRecord


class TransactionSerializer(serializers.Serializer):
    transaction_id = NamingField(max_length=255)


class _Entry(TransactionSerializer):
    subscription_id = IdField()
    brick_id = IdField()
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


class EntryPagination(LimitOffsetPagination):
    default_limit = 25
    max_limit = 100

    def get_offset(self, request: Request) -> int:
        offset: int = super().get_offset(request)
        lists.check_offset(offset, parameter=self.offset_query_param)
        return offset


class EntriesQuery(SpanQuery):
    includes_end = True

    limit = serializers.IntegerField(min_value=1, default=EntryPagination.default_limit)
    offset = serializers.IntegerField(min_value=0, default=0)
    search = serializers.CharField(default="", max_length=255, allow_blank=True)


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


class EntriesView(BrickView):
    @extend_schema(operation_id="listUsageEntries", parameters=[EntriesQuery], responses=EntryPageSerializer)
    def get(self, request: Request, **ids: str) -> Response:
        asked, lines = self.asked(EntriesQuery), self.lines(**ids)
        paginator = EntryPagination()
        found = rows.entries(self.records(), lines=lines, asked=asked)
        with lists.within_time(narrow_by="from and to"):
            page: list[UsageRecord] = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([translate.entry(record) for record in page])
