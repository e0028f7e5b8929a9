"""Base class of Rebilly's views: authentication, the organization in the path, and rate headers."""

from rest_framework import exceptions
from rest_framework.request import Request

from billing.models import ApiKey, Workspace
from usage.dialects.rebilly.errors import STYLE
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.rates import Rate
from usage.dialects.shared.view import DialectView


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
