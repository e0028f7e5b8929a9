"""Base classes of Salesbricks v2's views: authentication, the idempotency header, and reads of one brick's usage."""

import uuid
from datetime import tzinfo
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from billing.models import Line
from usage import consumption
from usage.dialects.salesbricks_v2.errors import STYLE
from usage.dialects.shared import unread_events
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.view import DialectView
from usage.models import UsageRecord, UsageRecordQuerySet

# Parameters that a search box or a pager may leave empty; an empty time would return all times.
_MAY_BE_EMPTY = ("limit", "offset", "search", "window", "currentPeriod")


class HeaderAuthentication(KeyAuthentication):
    security = {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-SALESBRICKS-KEY"}}

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
    # The vendor also stores responses to failed requests.
    keeps_failures = True
    cors_headers = ("X-SALESBRICKS-KEY", "Content-Type")

    def records(self) -> UsageRecordQuerySet:
        """Return the workspace's live entries with a transaction id."""
        return UsageRecord.objects.live().filter(
            workspace=self.workspace, dialect=self.dialect, key__isnull=False, line__isnull=False
        )


@extend_schema(
    parameters=[
        OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH) for name in ("subscription_id", "brick_id")
    ]
)
class BrickView(SalesbricksView):
    """Base class of reads of one brick in a subscription."""

    cors_exposed = (unread_events.HEADER,)

    @property
    def naive_zone(self) -> tzinfo:
        return self.workspace.tz

    def asked(self, query: type[Serializer]) -> dict[str, Any]:
        """Return the validated query parameters; raise ``ValidationError`` naming the invalid ones."""
        sent = self.request.query_params
        refuse_unknown(sent, query().fields, optional=_MAY_BE_EMPTY)
        return self.validated(query, {name: text for name, text in sent.items() if text})

    def lines(self, subscription_id: str, brick_id: str) -> list[Line]:
        """Return the brick's lines in the subscription; raise ``NotFound`` if there is none."""
        try:
            ids = uuid.UUID(subscription_id), uuid.UUID(brick_id)
        except ValueError:
            raise exceptions.NotFound from None
        return consumption.lines_of_brick(workspace=self.workspace, subscription_id=ids[0], brick_id=ids[1])
