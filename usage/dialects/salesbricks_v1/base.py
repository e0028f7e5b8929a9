"""Base class of Salesbricks v1's views: authentication and the idempotency header."""

from rest_framework import exceptions
from rest_framework.request import Request

from usage.dialects.salesbricks_v1.errors import STYLE
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
    # The vendor also stores responses to failed requests.
    keeps_failures = True
    cors_headers = ("X-SALESBRICKS-KEY", "Content-Type")
