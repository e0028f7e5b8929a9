from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import ApiKey, Workspace
from usage import ledger
from usage.dialects.rebilly import identifiers, queries, translate
from usage.dialects.rebilly.errors import STYLE
from usage.dialects.rebilly.serializers import UsageReply, UsageSerializer
from usage.dialects.shared import lists, recording_order
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.rates import Rate
from usage.dialects.shared.view import DialectView
from usage.models import UsageRecord


class Invoiced(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This usage is on an issued invoice."


class SecretKeyAuthentication(KeyAuthentication):
    security = {
        "SecretApiKey": {"type": "apiKey", "in": "header", "name": "REB-APIKEY"},
        "JWT": {"type": "http", "scheme": "bearer"},
    }

    def key_text(self, request: Request) -> str:
        if text := request.META.get("HTTP_REB_APIKEY", "").strip():
            return text
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise exceptions.NotAuthenticated
        return token.strip()

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RebillyView(DialectView):
    dialect = "rebilly"
    error_style = STYLE
    authentication_classes = (SecretKeyAuthentication,)
    cors_headers = ("REB-APIKEY", "REB-API-CONSUMER", "Authorization", "Content-Type")
    cors_exposed = (
        "Location",
        "Pagination-Total",
        "Pagination-Limit",
        "Pagination-Offset",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Retry-After",
    )

    def chosen_workspace(self, key: ApiKey) -> Workspace:
        if self.kwargs.get("organization", key.workspace.code) != key.workspace.code:
            raise exceptions.PermissionDenied
        return key.workspace

    def rate_headers(self, rate: Rate) -> dict[str, str]:
        headers = {"X-RateLimit-Limit": str(rate.limit), "X-RateLimit-Remaining": str(rate.remaining)}
        if not rate.remaining:
            headers["X-RateLimit-Retry-After"] = str(int(rate.resets_at.timestamp()))
        return headers


LIST_PARAMETERS = [
    OpenApiParameter(
        "filter", str, description="`field:value`; `,` between values, `;` between fields, `!` before what is not."
    ),
    OpenApiParameter("sort", str, description=f"Of {', '.join(queries.SORTS)}, between commas; `-` for descending."),
    OpenApiParameter(
        "limit", {"type": "integer", "minimum": 0, "maximum": queries.GREATEST_LIMIT, "default": queries.DEFAULT_LIMIT}
    ),
    OpenApiParameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
    OpenApiParameter("q", str, description="A part of a line's or a subscription's reference."),
]
LIST_HEADERS = [
    OpenApiParameter(f"Pagination-{name}", int, OpenApiParameter.HEADER, response=[200])
    for name in ("Total", "Limit", "Offset")
]


class UsageListView(RebillyView):
    @extend_schema(
        operation_id="listUsages", parameters=[*LIST_PARAMETERS, *LIST_HEADERS], responses=UsageReply(many=True)
    )
    def get(self, request: Request, **path: str) -> Response:
        refuse_unknown(request.query_params, queries.PARAMETERS)
        asked = queries.read(request.query_params, workspace=self.workspace)
        found = asked.matching(self.workspace)
        with lists.within_time(narrow_by="subscriptionId, id or usageTime"):
            total = found.count() if asked.is_filtered else ledger.usages_of_lines(workspace=self.workspace)
            rows = (
                lists.in_order(found, total=total)
                if asked.is_filtered
                else recording_order.AllUsages(found, workspace=self.workspace, total=total)
            )
            page = list(rows[asked.offset : asked.offset + asked.limit])
            items, collection = queries.invoice_items(self.workspace, page), _collection(request)
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
        items = queries.invoice_items(self.workspace, [record])
        collection = _collection(request).rpartition("/")[0]
        return Response(translate.usage(record, item=items.get(record.pk), collection=collection))

    @extend_schema(operation_id="deleteUsage", responses={204: None})
    def delete(self, request: Request, usage_id: str, **path: str) -> Response:
        record = self._usage(usage_id)
        if queries.invoice_items(self.workspace, [record]):
            raise Invoiced
        ledger.retract(command=translate.retract_usage(record.handle, origin=self.origin), recorded_at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _usage(self, usage_id: str) -> UsageRecord:
        number = identifiers.known(identifiers.USAGE, usage_id)
        record = None if number is None else queries.usage(self.workspace, number)
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
