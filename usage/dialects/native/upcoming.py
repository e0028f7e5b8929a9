"""Views of a subscription's open period: the usage so far, and the upcoming invoice."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.aggregations import brick_choices
from billing.documents import unsaved_line
from billing.models import InvoiceLine, Line, Subscription
from billing.money import format_money
from usage import closing
from usage.dialects.native.base import NativeView, row_by_id, shown_by
from usage.dialects.native.closes import Conflict
from usage.dialects.native.errors import MEDIA_TYPE, ProblemSerializer
from usage.dialects.native.fields import (
    CurrencyField,
    IdField,
    MomentField,
    NumberText,
    ReferenceField,
    TextField,
    WordField,
)
from usage.dialects.native.invoices import (
    SAMPLE,
    InvoiceLineSerializer,
    ShownNumber,
    SpanSerializer,
    UnreadCount,
    UnreadSerializer,
    shown_line,
)
from usage.dialects.native.openapi import by_id

NO_PERIOD = "No period of this subscription is open: it has not started, or its last period is closed."
# A price without its tiers, or a period outside the calendar.
NOT_PRICED: dict[Any, Any] = {(409, MEDIA_TYPE): ProblemSerializer}


class UsedSerializer(serializers.Serializer):
    line = serializers.IntegerField(source="line.number")
    reference = ReferenceField(source="line.reference", required=True)
    brick = IdField(source="line.brick_id")
    description = TextField()
    aggregation = WordField(choices=brick_choices, source="line.brick.aggregation")
    unit_label = TextField(source="line.brick.unit_label")
    quantity = NumberText(help_text="The quantity that closing would bill now.")
    record_count = serializers.IntegerField()
    unread_count = UnreadCount()
    unread_sample = UnreadSerializer(many=True, help_text=SAMPLE)


class CurrentUsageSerializer(serializers.Serializer):
    period = SpanSerializer()
    measured_until = MomentField(help_text="Later usage is excluded.")
    lines = UsedSerializer(many=True)


class UpcomingInvoiceSerializer(serializers.Serializer):
    period = SpanSerializer()
    measured_until = MomentField(help_text="Later usage is excluded.")
    currency = CurrencyField()
    total = ShownNumber()
    lines = InvoiceLineSerializer(many=True, help_text="Including differences of closed periods.")


class OpenPeriodView(NativeView):
    def preview(self, subscription_id: str) -> tuple[closing.Preview, list[InvoiceLine]]:
        """Return a subscription's upcoming invoice and its lines; raise ``NotFound`` if no period is open."""
        subscription = row_by_id(Subscription.objects.filter(workspace=self.workspace), subscription_id)
        try:
            preview = closing.preview(subscription=subscription, as_of=timezone.now())
        except closing.REFUSALS as error:
            raise Conflict(str(error)) from error
        if preview is None:
            raise exceptions.NotFound(NO_PERIOD)
        drafts = preview.invoice.lines
        lines = Line.objects.filter(workspace=self.workspace).select_related("brick", "price")
        by_id = lines.prefetch_related("price__tiers").in_bulk({draft.line_id for draft in drafts})
        return preview, [
            unsaved_line(draft, position=place, line=by_id[draft.line_id])
            for place, draft in enumerate(drafts, start=1)
        ]


def _heading(preview: closing.Preview) -> dict[str, Any]:
    show_moment = MomentField().to_representation
    return {
        "period": shown_by(SpanSerializer)(preview.invoice.period),
        "measured_until": show_moment(preview.measured_until),
    }


@by_id("subscription_id")
class CurrentUsageView(OpenPeriodView):
    @extend_schema(operation_id="readCurrentUsage", responses={200: CurrentUsageSerializer, **NOT_PRICED})
    def get(self, request: Request, subscription_id: str) -> Response:
        """Return the usage so far of each metered line in the subscription's open period; 404 if none is open."""
        preview, lines = self.preview(subscription_id)
        used = [line for line in lines if line.kind == InvoiceLine.Kind.USAGE and line.line.brick.is_metered]
        return Response(_heading(preview) | {"lines": list(map(shown_by(UsedSerializer), used))})


@by_id("subscription_id")
class UpcomingInvoiceView(OpenPeriodView):
    @extend_schema(operation_id="readUpcomingInvoice", responses={200: UpcomingInvoiceSerializer, **NOT_PRICED})
    def get(self, request: Request, subscription_id: str) -> Response:
        """Return the invoice of the subscription's open period as of now; 404 if none is open.

        It includes differences of closed periods. Nothing is written.
        """
        preview, lines = self.preview(subscription_id)
        currency = preview.invoice.currency
        return Response(
            _heading(preview)
            | {
                "currency": currency,
                "total": format_money(preview.invoice.total, currency=currency),
                "lines": [shown_line(line, currency=currency) for line in lines],
            }
        )
