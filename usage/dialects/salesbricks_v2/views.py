from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.base import DialectView, KeyAuthentication
from usage.dialects.salesbricks_v2 import translate
from usage.dialects.salesbricks_v2.errors import STYLE
from usage.dialects.salesbricks_v2.serializers import (
    ChangeSerializer,
    CountedChangeSerializer,
    CountedEntrySerializer,
    EntrySerializer,
    TransactionSerializer,
)


class HeaderAuthentication(KeyAuthentication):
    def key_text(self, request: Request) -> str:
        text = request.META.get("HTTP_X_SALESBRICKS_KEY", "").strip()
        if not text:
            raise exceptions.NotAuthenticated
        return text

    def authenticate_header(self, request: Request) -> str:
        return "X-SALESBRICKS-KEY"


class SalesbricksView(DialectView):
    dialect = "salesbricks_v2"
    error_style = STYLE
    authentication_classes = (HeaderAuthentication,)
    idempotency_header = "X-SALESBRICKS-IDEMPOTENT-OPERATION-KEY"
    cors_headers = ("X-SALESBRICKS-KEY", "Content-Type")


class UsageView(SalesbricksView):
    def post(self, request: Request) -> Response:
        counted = translate.uses_deprecated(request.data)
        data = self.validated(CountedEntrySerializer if counted else EntrySerializer, request.data)
        ledger.record(command=translate.record_usage(data, origin=self.origin), recorded_at=timezone.now())
        answer = translate.message("Usage entry submitted successfully.", sent=request.data)
        return Response(answer, status=status.HTTP_201_CREATED)

    def patch(self, request: Request) -> Response:
        counted = translate.uses_deprecated(request.data)
        data = self.validated(CountedChangeSerializer if counted else ChangeSerializer, request.data)
        ledger.correct(command=translate.correct_usage(data, origin=self.origin), recorded_at=timezone.now())
        return Response(translate.message("Usage entry updated successfully.", sent=request.data))

    def delete(self, request: Request) -> Response:
        data = self.validated(TransactionSerializer, request.data or request.query_params.dict())
        ledger.retract(command=translate.retract_usage(data, origin=self.origin), recorded_at=timezone.now())
        return Response({"message": "Usage entry deleted successfully."})
