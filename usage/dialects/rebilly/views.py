"""Views that report, list, read and delete usages, with or without the organization in the path."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.rebilly import identifiers, query_parameters, rows, translate
from usage.dialects.rebilly.base import RebillyView
from usage.dialects.rebilly.errors import Invoiced
from usage.dialects.rebilly.query_parameters import LIST_HEADERS, LIST_PARAMETERS
from usage.dialects.rebilly.serializers import UsageReply, UsageSerializer
from usage.dialects.shared import lists, recording_order
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.models import UsageRecord


class UsageListView(RebillyView):
    @extend_schema(
        operation_id="listUsages", parameters=[*LIST_PARAMETERS, *LIST_HEADERS], responses=UsageReply(many=True)
    )
    def get(self, request: Request, **path: str) -> Response:
        refuse_unknown(request.query_params, query_parameters.PARAMETERS)
        asked = query_parameters.read(request.query_params, workspace=self.workspace)
        found = asked.matching(self.workspace)
        with lists.within_time(narrow_by="subscriptionId, id or usageTime"):
            total = found.count() if asked.is_filtered else ledger.usages_of_lines(workspace=self.workspace)
            ordered = (
                lists.in_order(found, total=total)
                if asked.is_filtered
                else recording_order.AllUsages(found, workspace=self.workspace, total=total)
            )
            page = list(ordered[asked.offset : asked.offset + asked.limit])
            items, collection = rows.invoice_items(self.workspace, page), _collection(request)
        return Response(
            [translate.usage(record, item=items.get(record.pk), collection=collection) for record in page],
            headers={
                "Pagination-Total": str(total),
                "Pagination-Limit": str(asked.limit),
                "Pagination-Offset": str(asked.offset),
            },
        )

    @extend_schema(
        operation_id="createUsage",
        parameters=[OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201])],
        request=UsageSerializer,
        responses={201: UsageReply},
    )
    def post(self, request: Request, **path: str) -> Response:
        data, now = self.validated(UsageSerializer, request.data), timezone.now()
        command = translate.record_usage(data, origin=self.origin, requested_at=now)
        recorded = ledger.record(command=command, recorded_at=now)
        usage = translate.new_usage(recorded, collection=_collection(request))
        return Response(usage, status=status.HTTP_201_CREATED, headers={"Location": usage["_links"][0]["href"]})


class UsageView(RebillyView):
    @extend_schema(operation_id="retrieveUsage", responses=UsageReply)
    def get(self, request: Request, usage_id: str, **path: str) -> Response:
        record = self._usage(usage_id)
        items = rows.invoice_items(self.workspace, [record])
        collection = _collection(request).rpartition("/")[0]
        return Response(translate.usage(record, item=items.get(record.pk), collection=collection))

    @extend_schema(operation_id="deleteUsage", responses={204: None})
    def delete(self, request: Request, usage_id: str, **path: str) -> Response:
        record = self._usage(usage_id)
        if rows.invoice_items(self.workspace, [record]):
            raise Invoiced
        ledger.retract(command=translate.retract_usage(record.handle, origin=self.origin), recorded_at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _usage(self, usage_id: str) -> UsageRecord:
        number = identifiers.known(identifiers.USAGE, usage_id)
        record = None if number is None else rows.usage(self.workspace, number)
        if record is None:
            raise exceptions.NotFound
        return record


@extend_schema_view(
    get=extend_schema(operation_id="listUsagesOfOrganization"),
    post=extend_schema(operation_id="createUsageOfOrganization"),
)
class OrganizationUsageListView(UsageListView): ...


@extend_schema_view(
    get=extend_schema(operation_id="retrieveUsageOfOrganization"),
    delete=extend_schema(operation_id="deleteUsageOfOrganization"),
)
class OrganizationUsageView(UsageView): ...


def _collection(request: Request) -> str:
    return request.build_absolute_uri(request.path.rstrip("/"))
