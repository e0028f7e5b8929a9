from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from unfold.decorators import display as column

from billing import figures, invoicing
from billing.admin import shown
from billing.admin.actions import row_action
from billing.admin.issued import lines_of, parties_of, rows_of
from billing.admin.pages import ReadOnlyAdmin
from billing.admin.paging import page_of
from billing.models import Invoice
from billing.names import parse_whole


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "customer", "days", "kind", "state_label", "issued_on", "total_text")
    list_filter = ("state", "kind")
    list_select_related = ("customer", "workspace")
    search_fields = ("=number", "^customer__name")
    search_help_text = "Number, with or without its prefix, or the beginning of a customer's name"
    ordering = ("-id",)
    change_form_template = "panel/pages/invoice.html"
    actions_detail = ("download",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        return super().get_queryset(request).select_related("customer", "workspace", "subscription").defer("document")

    def numbered(self, request: HttpRequest, text: str) -> list[int]:
        sequence = parse_whole(text)
        if sequence is None:
            return []
        numbers = [f"{prefix}-{sequence:06d}" for prefix in invoicing.NUMBER_PREFIXES.values()]
        called = Q(number__in=numbers) | Q(pk=sequence, state=Invoice.State.DRAFT)
        return list(shown.narrowed(Invoice.objects.filter(called), request).values_list("pk", flat=True))

    def get_fieldsets(self, request: HttpRequest, obj: Invoice | None = None) -> tuple[()]:
        return ()

    def get_urls(self) -> list[URLPattern]:
        document = self.view_at("<int:invoice_id>/document.json", self.document_view, "billing_invoice_document")
        return [document, *super().get_urls()]

    @column(description="Period", ordering="starts_at")
    def days(self, invoice: Invoice) -> str:
        return figures.days(invoice.starts_at, invoice.ends_at, invoice.workspace.tz)

    @column(description="State", label={"draft": "warning", "issued": "success"}, ordering="state")
    def state_label(self, invoice: Invoice) -> tuple[str, str]:
        return invoice.state, invoice.get_state_display()

    @column(description="Issued", ordering="issued_at")
    def issued_on(self, invoice: Invoice) -> str:
        return figures.day(invoice.issued_at, invoice.workspace.tz)

    @column(description="Total")
    def total_text(self, invoice: Invoice) -> str:
        return figures.money(invoice.total, invoice.currency, invoice.workspace.formats.numbers)

    def has_download_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        invoice = self.get_object(request, object_id or "")
        return invoice is not None and invoice.state == Invoice.State.ISSUED and self.has_view_permission(request)

    @row_action(right="billing.view_invoice", permission="download", description="Document", icon="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.document_view(request, int(object_id))

    def document_view(self, request: HttpRequest, invoice_id: int) -> HttpResponse:
        self.require(self.has_view_permission(request))
        issued = Invoice.objects.filter(pk=invoice_id, state=Invoice.State.ISSUED)
        invoice = shown.narrowed(issued, request).first()
        if invoice is None:
            raise Http404
        return HttpResponse(
            invoice.document,
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{invoice.number}.json"'},
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        invoice = self.object_or_404(request, object_id)
        context = {
            "parties": parties_of(invoice),
            "lines": page_of(request, rows_of(invoice), told=partial(lines_of, invoice)),
            "may_see_usage": request.user.has_perm("usage.view_usagerecord"),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))
