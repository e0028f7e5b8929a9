"""Base class of Piriod's views: authentication, the workspace and its test mode, and the query of usages."""

from datetime import tzinfo

from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request

from billing.models import ApiKey, Workspace
from usage.dialects.piriod import translate
from usage.dialects.piriod.errors import STYLE
from usage.dialects.shared.authentication import KeyAuthentication
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
