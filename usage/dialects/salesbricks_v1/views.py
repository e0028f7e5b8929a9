from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from usage.dialects.salesbricks_v1 import operations
from usage.dialects.salesbricks_v1.errors import STYLE, listed
from usage.dialects.salesbricks_v1.execution import run
from usage.dialects.salesbricks_v1.mutations import resolvers
from usage.dialects.salesbricks_v1.serializers import QuerySerializer
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.view import DialectView


class HeaderAuthentication(KeyAuthentication):
    def key_text(self, request: Request) -> str:
        text = request.META.get("HTTP_X_SALESBRICKS_KEY", "").strip()
        if not text:
            raise exceptions.NotAuthenticated
        return text

    def authenticate_header(self, request: Request) -> str:
        return "X-SALESBRICKS-KEY"


class SalesbricksView(DialectView):
    dialect = "salesbricks_v1"
    error_style = STYLE
    authentication_classes = (HeaderAuthentication,)
    idempotency_header = "X-SALESBRICKS-IDEMPOTENT-OPERATION-KEY"
    # By the vendor's word: success or failure.
    keeps_failures = True
    cors_headers = ("X-SALESBRICKS-KEY", "Content-Type")


class UsageView(SalesbricksView):
    def post(self, request: Request) -> Response:
        asked = self.validated(QuerySerializer, request.data)
        try:
            found = operations.read(asked["query"])
        except operations.QueryRefused as refusal:
            return Response({"errors": listed(refusal.errors)}, status=status.HTTP_400_BAD_REQUEST)
        result = run(
            found,
            workspace_id=self.workspace.pk,
            root=resolvers(origin=self.origin, recorded_at=timezone.now()),
            variables=asked["variables"],
            operation_name=asked["operationName"] or None,
        )
        if not result.errors:
            return Response({"data": result.data})
        errors = listed(result.errors)
        # An error without a path is the request's: no field was run.
        if any(error.path is None for error in result.errors):
            return Response({"errors": errors}, status=status.HTTP_400_BAD_REQUEST)
        return Response({"data": result.data, "errors": errors})
