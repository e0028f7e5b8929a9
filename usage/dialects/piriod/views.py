from datetime import tzinfo
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import ApiKey, Workspace
from usage import ledger
from usage.dialects.piriod import translate
from usage.dialects.piriod.errors import STYLE, DetailSerializer
from usage.dialects.piriod.serializers import (
    GREATEST_ID,
    UsageFilter,
    UsagePageSerializer,
    UsageSerializer,
)
from usage.dialects.shared import lists, recording_order
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.view import DialectView
from usage.models import UsageRecord, UsageRecordQuerySet


class TokenAuthentication(KeyAuthentication):
    wrong_key = "Invalid token."
    security = {
        "Token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token`, a space and the key.",
        }
    }

    def key_text(self, request: Request) -> str:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "token":
            raise exceptions.NotAuthenticated
        return token.strip()

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class PiriodView(DialectView):
    dialect = "piriod"
    header_parameters = (
        OpenApiParameter(
            "x-simple-workspace", str, OpenApiParameter.HEADER, required=True, description="The workspace's code."
        ),
        OpenApiParameter(
            "x-piriod-test-mode",
            str,
            OpenApiParameter.HEADER,
            enum=["true", "false"],
            description="`true` for the workspace's test mode.",
        ),
    )
    error_style = STYLE
    authentication_classes = (TokenAuthentication,)
    cors_headers = ("Authorization", "Content-Type", "X-Simple-Workspace", "X-Piriod-Test-Mode")

    def chosen_workspace(self, key: ApiKey) -> Workspace:
        code = self.request.META.get("HTTP_X_SIMPLE_WORKSPACE", "").strip()
        if not code:
            raise exceptions.ValidationError("x-simple-workspace header is required.")
        try:
            in_test_mode = translate.TEST_MODE[self.request.META.get("HTTP_X_PIRIOD_TEST_MODE", "").strip().lower()]
        except KeyError:
            raise exceptions.ValidationError("x-piriod-test-mode header must be true or false.") from None
        owner = key.workspace
        is_twin = owner.mode == Workspace.Mode.TEST
        if code != owner.code or (is_twin and not in_test_mode):
            raise exceptions.PermissionDenied
        return owner.twin if in_test_mode and not is_twin else owner

    @property
    def naive_zone(self) -> tzinfo:
        return self.workspace.tz

    def usages(self) -> UsageRecordQuerySet:
        found = UsageRecord.objects.live().with_line_numbers().filter(workspace=self.workspace, line__isnull=False)
        return found.only("id", "origin", "occurred_at", "recorded_at", "quantity", "source")


_BETWEEN_COMMAS = f"At most {settings.FILTER_VALUES} values, with commas between them."


def _ordered(name: str, kind: Any) -> list[OpenApiParameter]:
    return [OpenApiParameter(f"{name}{lookup}", kind) for lookup in ("", "__gte", "__gt", "__lte", "__lt")]


LIST_PARAMETERS = [
    OpenApiParameter("page", int, description="The first is 1."),
    OpenApiParameter("page_size", int, description="20 unless given, 100 at most."),
    OpenApiParameter("ordering", str, description="`id`, `date_time`, `quantity` or `created`; `-` for descending."),
    OpenApiParameter("id", int),
    OpenApiParameter("subscription_line", int),
    OpenApiParameter("creation_scheme", str, enum=UsageRecord.Source.values),
    *_ordered("quantity", OpenApiTypes.NUMBER),
    *_ordered("date_time", OpenApiTypes.DATETIME),
    *_ordered("created", OpenApiTypes.DATETIME),
    *(
        OpenApiParameter(f"{name}__in", str, description=_BETWEEN_COMMAS)
        for name in ("id", "subscription_line", "creation_scheme", "quantity")
    ),
]
PARAMETERS = frozenset(parameter.name for parameter in LIST_PARAMETERS)
_OF_PAGES = ("page", "page_size", "ordering")


class UsagePagination(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def __init__(self, *, whole: Workspace | None) -> None:
        self.whole = whole

    def django_paginator_class(self, found: Any, size: int) -> Paginator:  # type: ignore[override]  # called, as it is
        """Return a paginator that does not count what was counted already: a ``whole`` workspace."""
        if self.whole is None:
            total = found.count()
            found = lists.in_order(found, total=total)
        else:
            total = ledger.usages_of_lines(workspace=self.whole)
            found = recording_order.AllUsages(found, workspace=self.whole, total=total)
        paginator = Paginator(found, size)
        paginator.count = total
        return paginator

    def get_page_number(self, request: Request, paginator: Paginator) -> int | str:
        number = super().get_page_number(request, paginator)
        if str(number).isdecimal() and len(str(number)) < 20:
            lists.check_offset((int(number) - 1) * paginator.per_page, parameter=self.page_query_param)
        return number


class UsageListView(PiriodView):
    @extend_schema(
        operation_id="listUsages",
        parameters=LIST_PARAMETERS,
        responses={200: UsagePageSerializer, 404: OpenApiResponse(DetailSerializer, "There is no such page.")},
    )
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, PARAMETERS, optional=_OF_PAGES)
        with timezone.override(self.naive_zone):
            found = UsageFilter(request.query_params, queryset=self.usages(), workspace=self.workspace)
            if not found.is_valid():
                raise translate_validation(found.errors)
        is_filtered = any(value for name, value in request.query_params.items() if name not in _OF_PAGES)
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
        known_as = _id(usage_id)
        record = self.usages().filter(Q(pk=known_as) | Q(origin_id=known_as)).first()
        if record is None:
            raise exceptions.NotFound
        return Response(translate.usage(record, tz=self.workspace.tz))

    @extend_schema(operation_id="deleteUsage", responses={204: None})
    def delete(self, request: Request, usage_id: str) -> Response:
        ledger.retract(command=translate.retract_usage(_id(usage_id), origin=self.origin), recorded_at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _id(text: str) -> int:
    """Return a path's id; anything that can't be one is as absent as an id that no usage has."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= GREATEST_ID):
        raise exceptions.NotFound
    return int(text)
