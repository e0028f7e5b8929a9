"""Views of invoices with their lines and calculation, and of the usage records of each line."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import rating
from billing.aggregations import brick_choices
from billing.documents import DocumentCustomer, DocumentLine, InvoiceDocument
from billing.models import Invoice, InvoiceLine
from billing.money import format_money
from usage.dialects.native import usage_serializers
from usage.dialects.native.base import NativeView, row_by_number, shown_by
from usage.dialects.native.fields import WHOLE, CurrencyField, IdField, MomentField, TextField, WordField
from usage.dialects.native.filters import (
    MomentFilter,
    NamedFilter,
    NativeFilterSet,
    TextFilter,
    WholeFilter,
    WordFilter,
)
from usage.dialects.native.openapi import listing
from usage.dialects.native.usage_serializers import RecordSerializer
from usage.dialects.shared.lists import within_time
from usage.models import UsageRecord


class _Shown(serializers.Field):
    """A value that is already text in a document."""

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "string", "format": "date-time"})
class ShownMoment(_Shown): ...


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class ShownNumber(_Shown): ...


class SpanSerializer(serializers.Serializer):
    starts_at = MomentField()
    ends_at = MomentField(help_text="The first moment after it.")


class ShownSpanSerializer(serializers.Serializer):
    starts_at = ShownMoment()
    ends_at = ShownMoment(help_text="The first moment after it.")


class ShownTierSerializer(serializers.Serializer):
    up_to = ShownNumber(allow_null=True)
    unit_price = ShownNumber()
    fee = ShownNumber()


class ShownTermsSerializer(serializers.Serializer):
    model = WordField(choices=rating.choices())
    currency = CurrencyField()
    unit_price = ShownNumber()
    tiers = ShownTierSerializer(many=True)


class ShownPriceSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = TextField()
    terms = ShownTermsSerializer()


class StepSerializer(serializers.Serializer):
    kind = TextField(help_text="Such as units, fee, flat or proration.")
    text = TextField()
    quantity = ShownNumber(allow_null=True)
    unit_price = ShownNumber(allow_null=True)
    amount = ShownNumber(help_text="Not rounded. The amounts of all steps add up to the line's price.")
    lower = ShownNumber(allow_null=True, help_text="The lower bound of the step's tier, exclusive.")
    upper = ShownNumber(allow_null=True, help_text="The upper bound of the step's tier, inclusive.")


SAMPLE = "The first and the last of them with a value; if none has a value, the first and the last."


class UnreadCount(serializers.IntegerField):
    """The number of counted events that add nothing."""

    def __init__(self, **options: Any) -> None:
        text = "The number of records that add nothing: the value that the rule adds is missing or not a number."
        super().__init__(**{"help_text": text, **options})


class UnreadSerializer(serializers.Serializer):
    record = serializers.IntegerField(help_text="The record's id.")
    value = TextField(allow_null=True, help_text="The first 60 characters of the value as JSON; null if there is none.")


class InvoiceLineSerializer(serializers.Serializer):
    position = serializers.IntegerField()
    kind = WordField(choices=InvoiceLine.Kind.choices)
    line = serializers.IntegerField(source="line_id")
    brick = serializers.UUIDField(source="brick_id")
    description = TextField()
    aggregation = WordField(choices=brick_choices)
    unit_label = TextField()
    period = ShownSpanSerializer()
    days = serializers.IntegerField(
        help_text="The number of calendar days that the line covers, which prorates a flat price."
    )
    of_days = serializers.IntegerField(help_text="The number of calendar days of the whole period.")
    quantity = ShownNumber()
    record_count = serializers.IntegerField()
    unread_count = UnreadCount()
    unread_sample = UnreadSerializer(many=True, help_text=SAMPLE)
    price = ShownPriceSerializer()
    steps = StepSerializer(many=True, help_text="The calculation, from the quantity to the price.")
    surprise = TextField(allow_blank=True, help_text="The notice of the calculation, such as a negative quantity.")
    surprises = serializers.ListField(
        child=TextField(), help_text="All notices for a reviewer; for an issued invoice, only the one in its document."
    )
    rated = ShownNumber(help_text="The price of the whole quantity.")
    billed_before = ShownNumber(help_text="The part billed on earlier invoices.")
    amount = ShownNumber(help_text="rated - billed_before")


show_line = shown_by(InvoiceLineSerializer)


class BilledToSerializer(serializers.Serializer):
    name = TextField()
    reference = TextField(allow_null=True)
    email = TextField(allow_blank=True)
    address = TextField(allow_blank=True)


class InvoiceSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    number = TextField(allow_null=True, help_text="Null on a draft.")
    state = WordField(choices=Invoice.State.choices)
    kind = WordField(choices=Invoice.Kind.choices)
    customer = IdField(source="customer_id")
    subscription = IdField(source="subscription_id")
    close_run = serializers.IntegerField(source="run_id")
    period = SpanSerializer(source="*")
    currency = CurrencyField()
    total = serializers.SerializerMethodField()
    created_at = MomentField()
    issued_at = MomentField(allow_null=True)

    @extend_schema_field(ShownNumber)
    def get_total(self, invoice: Invoice) -> str:
        return format_money(invoice.total, currency=invoice.currency)


class InvoiceDetailSerializer(InvoiceSerializer):
    billed_to = BilledToSerializer(help_text="The name when the invoice was issued.")
    lines = InvoiceLineSerializer(many=True)


class InvoiceFilter(NativeFilterSet):
    number = TextFilter()
    state = WordFilter(Invoice.State)
    kind = WordFilter(Invoice.Kind)
    customer = NamedFilter(help_text="By id or reference.")
    subscription = NamedFilter(help_text="By id or reference.")
    close_run = WholeFilter(field_name="run_id")
    issued_from = MomentFilter(field_name="issued_at", lookup_expr="gte", help_text="Issued at or after this moment.")
    issued_before = MomentFilter(field_name="issued_at", lookup_expr="lt", help_text="Issued before this moment.")
    starts_from = MomentFilter(
        field_name="starts_at", lookup_expr="gte", help_text="Its period starts at or after this moment."
    )
    ends_by = MomentFilter(
        field_name="ends_at", lookup_expr="lte", help_text="Its period ends at or before this moment."
    )


show = shown_by(InvoiceSerializer)


class InvoicesView(NativeView):
    def invoices(self) -> QuerySet[Invoice]:
        return Invoice.objects.filter(workspace=self.workspace)


class InvoiceListView(InvoicesView):
    @listing("listInvoices", of=InvoiceSerializer, filters=InvoiceFilter)
    def get(self, request: Request) -> Response:
        return self.page(self.filtered(InvoiceFilter, self.invoices().defer("document")), show, by="created_at")


@extend_schema(parameters=[OpenApiParameter("invoice_id", WHOLE, OpenApiParameter.PATH)])
class InvoiceView(InvoicesView):
    @extend_schema(operation_id="readInvoice", responses=InvoiceDetailSerializer)
    def get(self, request: Request, invoice_id: str) -> Response:
        """Return an invoice with its lines. An issued one has the names and prices of the time when it was issued."""
        related = self.invoices().select_related("customer", "subscription", "workspace")
        invoice = row_by_number(related, invoice_id)
        billed_to, lines = _issued(invoice) if invoice.document else _drafted(invoice)
        return Response(show(invoice) | {"billed_to": shown_by(BilledToSerializer)(billed_to), "lines": lines})


def _issued(invoice: Invoice) -> tuple[DocumentCustomer, list[dict[str, Any]]]:
    """Return the customer and lines of an issued invoice, from its document."""
    document = InvoiceDocument.from_json(invoice.document)
    unread = {row["position"]: row for row in invoice.lines.values("position", *_UNREAD)}
    return document.customer, [
        show_line(line.as_dict() | {"surprises": [*filter(None, [line.surprise])]} | unread[line.position])
        for line in document.lines
    ]


def _drafted(invoice: Invoice) -> tuple[DocumentCustomer, list[dict[str, Any]]]:
    """Return the customer and lines of a draft, with current names."""
    rows = invoice.lines.select_related("line__brick", "price").prefetch_related("price__tiers").order_by("position")
    return DocumentCustomer.of(invoice.customer), [shown_line(row, currency=invoice.currency) for row in rows]


_UNREAD = ("unread_count", "unread_sample")


def shown_line(row: InvoiceLine, *, currency: str) -> dict[str, Any]:
    """Return a draft's line, with the notices that are not in its document."""
    beside = {"surprises": row.surprises, **{name: getattr(row, name) for name in _UNREAD}}
    return show_line(DocumentLine.of(row, currency=currency).as_dict() | beside)


class NoFilter(NativeFilterSet):
    """No filters: all records of a line are listed, in pages."""


@extend_schema(
    parameters=[
        OpenApiParameter("invoice_id", WHOLE, OpenApiParameter.PATH),
        OpenApiParameter("position", WHOLE, OpenApiParameter.PATH),
    ]
)
class InvoiceRecordListView(InvoicesView):
    @listing("listRecordsOfInvoiceLine", of=RecordSerializer, filters=NoFilter)
    def get(self, request: Request, invoice_id: str, position: int) -> Response:
        """Return the records that the line at a position of an invoice counts, the latest usage first.

        These are the records as of its measurement: later changes are billed as a difference.
        """
        invoice = row_by_number(self.invoices(), invoice_id)
        line = invoice.lines.select_related("invoice", "rule").filter(position=position).first()
        if line is None:
            raise exceptions.NotFound
        counted = UsageRecord.objects.with_line_numbers().counted_by(line)
        with within_time(narrow_by="page_size"):
            return self.page(
                self.filtered(NoFilter, counted), usage_serializers.show, by="occurred_at", sized="properties"
            )
