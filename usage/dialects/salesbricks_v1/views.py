"""The GraphQL endpoint, whose mutations report usage."""

from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from usage.dialects.salesbricks_v1 import operations
from usage.dialects.salesbricks_v1.base import SalesbricksView
from usage.dialects.salesbricks_v1.errors import listed
from usage.dialects.salesbricks_v1.execution import run
from usage.dialects.salesbricks_v1.mutations import resolvers
from usage.dialects.salesbricks_v1.serializers import QuerySerializer


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
        # An error without a path concerns the request: no field was run.
        if any(error.path is None for error in result.errors):
            return Response({"errors": errors}, status=status.HTTP_400_BAD_REQUEST)
        return Response({"data": result.data, "errors": errors})
