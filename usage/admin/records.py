"""The ledger in the panel: its list, the page of a record with its history, and the pages that write to it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern
from unfold.decorators import action
from unfold.decorators import display as column
from unfold.enums import ActionVariant

from billing import figures
from billing.admin import shown
from billing.admin.actions import buttons
from billing.admin.lists import NUL
from billing.admin.pages import ReadOnlyAdmin
from billing.admin.paging import InfinitePaginator
from billing.admin.picking import answer_search
from billing.models import Customer
from billing.storage.jsontext import encode
from usage.admin import preview
from usage.admin.chains import chain_of, state_of
from usage.admin.matchings import matchings
from usage.admin.record_actions import AddUsage, CorrectRecord, RetractRecord
from usage.admin.record_filters import CountedBy, DialectFilter, SourceFilter, StateFilter, search
from usage.admin.record_forms import CustomerForm, found_lines, line_in_words
from usage.models import UsageRecord

# Large columns that no list shows; those of a joined row have to be deferred by their own names.
UNSHOWN = ("properties", "superseded_by__properties", "superseded_by__folded")
CHAIN_SHOWN = 50
STATES = {"counts": "success", "counts, late": "info", "unmatched": "warning", "retracted": "danger"}


@admin.register(UsageRecord)
@buttons(CorrectRecord, RetractRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    list_display = ("occurred", "whose", "line_text", "quantity_text", "state", "came_by", "shown_key")
    list_filter = (CountedBy, SourceFilter, DialectFilter, StateFilter)
    list_select_related = ("workspace", "line__brick", "line__subscription__customer", "customer", "superseded_by")
    list_before_template = "panel/boxes/counted_by.html"
    # Counting would read the whole ledger.
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_lookups = ("line__id__exact",)
    search_fields = ("key",)
    search_help_text = "Key, alias, line number or customer's name"
    ordering = ("-id",)
    sortable_by = ()
    change_form_template = "panel/pages/usage_record.html"
    show_add_link = False
    actions_list = ("add_usage",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageRecord]:
        return super().get_queryset(request).select_related(*self.list_select_related).defer(*UNSHOWN)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageRecord], search_term: str
    ) -> tuple[QuerySet[UsageRecord], bool]:
        if NUL in search_term:
            return queryset.none(), False
        workspace = shown.workspace_or_none(request)
        return (queryset if workspace is None else search(queryset, search_term, workspace_id=workspace.pk)), False

    def get_fieldsets(self, request: HttpRequest, obj: UsageRecord | None = None) -> tuple[()]:
        return ()

    def get_urls(self) -> list[URLPattern]:
        return [
            self.view_at("lines/<uuid:customer_id>/", self.lines_view, "usage_lines"),
            self.view_at("matchings/<uuid:customer_id>/", matchings, "usage_matchings"),
            self.view_at("preview/<uuid:subscription_id>/", preview.upcoming_invoice, "usage_preview"),
            self.view_at("opening/<int:invoice_line_id>/", preview.opening_value, "usage_opening"),
            *super().get_urls(),
        ]

    @column(description="Occurred")
    def occurred(self, record: UsageRecord) -> str:
        return figures.moment(record.occurred_at, record.workspace.tz)

    @column(description="Customer")
    def whose(self, record: UsageRecord) -> str:
        if record.line:
            return str(record.line.subscription.customer)
        return f"{record.customer or figures.NOTHING} (as {figures.identifier(record.customer_alias)})"

    @column(description="Line or event")
    def line_text(self, record: UsageRecord) -> str:
        return (
            f"{record.line.brick} (line {record.line.number})" if record.line else figures.identifier(record.event_type)
        )

    @column(description="Quantity")
    def quantity_text(self, record: UsageRecord) -> str:
        return figures.quantity(record.quantity, record.workspace.formats.numbers)

    @column(description="State", label=STATES)
    def state(self, record: UsageRecord) -> str:
        return state_of(record)

    @column(description="Source")
    def came_by(self, record: UsageRecord) -> str:
        if record.source == record.dialect:
            return record.get_source_display()
        return f"{record.get_source_display()}, {record.dialect}"

    @column(description="Key")
    def shown_key(self, record: UsageRecord) -> str:
        # Keys of the panel only prevent a form from being recorded twice.
        return figures.NOTHING if record.dialect == "panel" else figures.identifier(record.key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        counted_by = request.GET.get("invoice_line", "")
        context = {"invoice_line": preview.invoice_line_or_none(request, counted_by)} if counted_by else {}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        record = self.object_or_404(request, object_id)
        chain = chain_of(record).select_related("superseded_by").defer(*UNSHOWN)
        newest = list(chain.order_by("-id")[: CHAIN_SHOWN + 1])
        older = chain_of(record).count() - CHAIN_SHOWN if len(newest) > CHAIN_SHOWN else 0
        context = {
            "state": state_of(record),
            "properties": None if record.properties is None else encode(record.properties).decode(),
            "chain": [{"record": row, "state": state_of(row)} for row in reversed(newest[:CHAIN_SHOWN])],
            "older_note": f"The newest {CHAIN_SHOWN}; {older} older ones are omitted" if older else "",
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        workspace = shown.workspace_of(request)
        picker = CustomerForm(request.GET or None, workspace=workspace)
        if not picker.is_valid():
            return self.page(
                request, "panel/pages/pick_customer.html", {"title": f"Add usage in {workspace}", "form": picker}
            )
        return AddUsage(self, request, picker.cleaned_data["customer"]).answer()

    @action(description="Add usage", icon="add", permissions=["add"], variant=ActionVariant.PRIMARY)
    def add_usage(self, request: HttpRequest) -> HttpResponse:
        return redirect(self.url_name("add"))

    def lines_view(self, request: HttpRequest, customer_id: Any) -> HttpResponse:
        """Answer a search for the line of new usage."""
        self.require(self.has_add_permission(request))
        customer = get_object_or_404(shown.narrowed(Customer.objects.all(), request), pk=customer_id)
        return answer_search(request, found_lines(customer, request.GET.get("term", "")), row_label=line_in_words)
