"""Views that report, list, read and delete usages."""

from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.names import parse_whole
from usage import ledger
from usage.dialects.piriod import translate
from usage.dialects.piriod.base import PiriodView
from usage.dialects.piriod.errors import DetailSerializer
from usage.dialects.piriod.fields import GREATEST_ID
from usage.dialects.piriod.filters import LIST_PARAMETERS, PARAMETERS, UsageFilter
from usage.dialects.piriod.pagination import NAMES_OF_PAGES, UsagePagination
from usage.dialects.piriod.serializers import UsagePageSerializer, UsageSerializer
from usage.dialects.shared import lists
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.models import UsageRecord


class UsageListView(PiriodView):
    @extend_schema(
        operation_id="listUsages",
        parameters=LIST_PARAMETERS,
        responses={200: UsagePageSerializer, 404: OpenApiResponse(DetailSerializer, "There is no such page.")},
    )
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, PARAMETERS, optional=NAMES_OF_PAGES)
        with timezone.override(self.naive_zone):
            found = UsageFilter(request.query_params, queryset=self.usages(), workspace=self.workspace)
            if not found.is_valid():
                raise translate_validation(found.errors)
        is_filtered = any(value for name, value in request.query_params.items() if name not in NAMES_OF_PAGES)
        with lists.within_time(narrow_by="subscription_line, id or date_time"):
            paginator = UsagePagination(whole=None if is_filtered else self.workspace)
            page: list[UsageRecord] = paginator.paginate_queryset(found.qs, request, view=self) or []
        return paginator.get_paginated_response([translate.usage(record, tz=self.workspace.tz) for record in page])

    @extend_schema(operation_id="createUsage", request=UsageSerializer, responses={201: UsageSerializer})
    def post(self, request: Request) -> Response:
        data = self.validated(UsageSerializer, request.data)
        recorded = ledger.record(command=translate.record_usage(data, origin=self.origin), recorded_at=timezone.now())
        return Response(translate.usage(recorded, tz=self.workspace.tz), status=status.HTTP_201_CREATED)


@extend_schema(parameters=[OpenApiParameter("usage_id", int, OpenApiParameter.PATH)])
class UsageView(PiriodView):
    @extend_schema(operation_id="retrieveUsage", responses=UsageSerializer)
    def get(self, request: Request, usage_id: str) -> Response:
        record = self.usages().called(_id(usage_id)).first()
        if record is None:
            raise exceptions.NotFound
        return Response(translate.usage(record, tz=self.workspace.tz))

    @extend_schema(operation_id="deleteUsage", responses={204: None})
    def delete(self, request: Request, usage_id: str) -> Response:
        ledger.retract(command=translate.retract_usage(_id(usage_id), origin=self.origin), recorded_at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _id(text: str) -> int:
    """Return the id in a path; raise ``NotFound`` if it is not a valid id."""
    known = parse_whole(text, digits=19)
    if known is None or known > GREATEST_ID:
        raise exceptions.NotFound
    return known
