from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from unfold import paginator
from unfold.decorators import action
from unfold.decorators import display as column
from unfold.enums import ActionVariant

from billing import figures
from billing.admin import shown
from billing.admin.actions import row_action
from billing.admin.lists import NUL
from billing.admin.pages import ReadOnlyAdmin, name_of, posted
from billing.entry.moments import spell_moment
from billing.entry.numbers import spell_number
from billing.models import Customer, Workspace
from billing.parties import NOBODY
from billing.storage.jsontext import encode
from usage import ledger
from usage.admin import preview
from usage.admin.matchings import matchings
from usage.admin.record_filters import CountedBy, DialectFilter, SourceFilter, StateFilter, search
from usage.admin.record_forms import CorrectionForm, CustomerForm, EntryForm, EventCorrectionForm, ReasonForm
from usage.commands import CorrectUsage, LineByNumber, Origin, RecordById, RecordUsage, RetractUsage
from usage.models import UsageRecord

# Of what a list or a chain of records shows, neither is: and deferring reaches no joined row by itself.
UNSHOWN = ("properties", "superseded_by__properties", "superseded_by__folded")
CHAIN_SHOWN = 50
STATES = {"counts": "success", "counts, late": "info", "unmatched": "warning", "retracted": "danger"}


class InfinitePaginator(paginator.InfinitePaginator):
    """Finds the rows of a page by their keys, so that no row before it is read with what is shown of it.

    The theme's templates know it by its name, and show no count of it.
    """

    def page(self, number: Any) -> Any:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = list(self.object_list.values_list("pk", flat=True)[first : first + self.per_page])
        return self._get_page(self.object_list.filter(pk__in=keys) if keys else [], number, self)


@contextmanager
def refusals_on_fields(workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except ledger.LimitReached as error:
        told = error.told(partial(spell_number, style=workspace.formats.numbers))
        raise ValidationError({error.field: told}) from error
    except ledger.OutsideLine as error:
        raise ValidationError({error.field: error.told(figures.local)}) from error
    except ledger.UnableToRecord as error:
        raise ValidationError({error.field or "__all__": error.message}) from error


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    list_display = ("occurred", "whose", "line_text", "quantity_text", "state", "came_by", "shown_key")
    list_filter = (CountedBy, SourceFilter, DialectFilter, StateFilter)
    list_select_related = ("workspace", "line__brick", "line__subscription__customer", "customer", "superseded_by")
    list_before_template = "usage/list_before.html"
    # Counting the ledger would read all of it.
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_lookups = ("line__id__exact",)
    search_fields = ("key",)
    search_help_text = "Key, alias, line number or customer's name"
    ordering = ("-id",)
    sortable_by = ()
    change_form_template = "admin/usage/usagerecord/change_form.html"
    show_add_link = False
    actions_list = ("add_usage",)
    actions_detail = ("correct", "retract")

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

    @column(description="Came by")
    def came_by(self, record: UsageRecord) -> str:
        if record.source == record.dialect:
            return record.get_source_display()
        return f"{record.get_source_display()}, {record.dialect}"

    @column(description="Key")
    def shown_key(self, record: UsageRecord) -> str:
        # What the panel made up to be sent once says nothing to a reader.
        return figures.NOTHING if record.dialect == "panel" else figures.identifier(record.key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_correct_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        record = self.get_object(request, object_id or "")
        if record is None or not self.may(request, "change"):
            return False
        # Of one that another took the place of, the page itself is answered: it says so.
        at = request.resolver_match.url_name if request.resolver_match else None
        return is_live(record) or at in ("usage_usagerecord_correct", "usage_usagerecord_retract")

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
            "older": older,
            "tz": record.workspace.tz,
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        workspace = shown.workspace_of(request)
        picker = CustomerForm(request.GET or None, workspace=workspace)
        if not picker.is_valid():
            return self.page(
                request, "usage/pick_customer.html", {"title": f"Add usage in {workspace}", "form": picker}
            )
        customer: Customer = picker.cleaned_data["customer"]
        return self.form_page(
            request,
            form=EntryForm(posted(request), customer=customer, as_of=timezone.now()),
            title=f"Add usage of {customer}",
            submit="Add usage",
            template="usage/add_usage.html",
            perform=self._recorder(request, customer),
            customer=customer,
        )

    def _recorder(self, request: HttpRequest, customer: Customer) -> Callable[[dict[str, Any]], HttpResponse]:
        def perform(data: dict[str, Any]) -> HttpResponse:
            command = RecordUsage(
                origin=panel_origin(request, customer.workspace_id),
                address=LineByNumber(data["line"].number),
                quantity=data["quantity"],
                occurred_at=data["occurred_at"],
                key=data["key"],
                note=data["note"],
            )
            try:
                with refusals_on_fields(customer.workspace):
                    recorded = ledger.record(command=command, recorded_at=timezone.now())
            except ValidationError as error:
                if isinstance(error.__cause__, ledger.DuplicateKey):
                    messages.info(request, "This was recorded already: here it is.")
                    return self.go_to(UsageRecord(pk=error.__cause__.record_id))
                raise
            late = " It is late: its period was closed, so the difference is billed with the next close."
            messages.success(request, "The usage is recorded." + late * recorded.is_late)
            return self.go_to(UsageRecord(pk=recorded.id))

        return perform

    @action(description="Add usage", icon="add", permissions=["add"], variant=ActionVariant.PRIMARY)
    def add_usage(self, request: HttpRequest) -> HttpResponse:
        return redirect(self.url_name("add"))

    @row_action(
        right="usage.change_usagerecord",
        permission="correct",
        description="Correct",
        icon="edit",
        variant=ActionVariant.PRIMARY,
    )
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        record = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            changed = {name: data[name] for name in form.changed_data if name != "note"}
            command = CorrectUsage(
                origin=panel_origin(request, record.workspace_id),
                target=RecordById(record.pk),
                note=data["note"],
                **changed,
            )
            with refusals_on_fields(record.workspace):
                change = correct(command=command, recorded_at=timezone.now())
            messages.success(request, "The correction is recorded. It counts from now on.")
            return self.go_to(UsageRecord(pk=change.id))

        correct = ledger.correct if record.line_id else ledger.correct_event
        form_class = CorrectionForm if record.line_id else EventCorrectionForm
        form = form_class(posted(request), record=record, as_of=timezone.now())
        return self._change_page(request, record, form, "Correct", perform)

    @row_action(right="usage.change_usagerecord", permission="correct", description="Retract", icon="undo")
    def retract(self, request: HttpRequest, object_id: str) -> HttpResponse:
        record = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            command = RetractUsage(
                origin=panel_origin(request, record.workspace_id), target=RecordById(record.pk), note=data["note"]
            )
            with refusals_on_fields(record.workspace):
                change = retract(command=command, recorded_at=timezone.now())
            messages.success(request, "The usage is retracted. It counts no longer.")
            return self.go_to(UsageRecord(pk=change.id))

        retract = ledger.retract if record.line_id else ledger.retract_event
        return self._change_page(request, record, ReasonForm(posted(request)), "Retract", perform)

    def _change_page(
        self, request: HttpRequest, record: UsageRecord, form: ReasonForm, verb: str, perform: Any
    ) -> HttpResponse:
        newest = None if is_live(record) else newest_of(record)
        if newest is not None:
            told = f"Nothing was recorded: meanwhile {what_became_of(newest)}."
            if request.method != "POST":
                messages.warning(request, told)
                return self.go_to(newest)
            form.refusal = ValidationError(told)
        return self.form_page(
            request,
            form=form,
            newest=newest,
            obj=record,
            title=f"{verb} record {record.pk}",
            submit=verb,
            danger=verb == "Retract",
            template="usage/change_usage.html",
            perform=perform,
            tz=record.workspace.tz,
            is_closed=record.is_late or record.occurred_at < open_from(record),
        )


def panel_origin(request: HttpRequest, workspace_id: int) -> Origin:
    return Origin(workspace_id=workspace_id, source="panel", dialect="panel", recorded_by=name_of(request))


def is_live(record: UsageRecord) -> bool:
    return record.superseded_by_id is None and record.kind != UsageRecord.Kind.RETRACTION


def newest_of(record: UsageRecord) -> UsageRecord:
    """Return the record that has the last word in a record's chain."""
    return chain_of(record).select_related("workspace").defer("properties").order_by("-id")[0]


def chain_of(record: UsageRecord) -> QuerySet[UsageRecord]:
    """Return a record with all that came before and after it in its place."""
    return UsageRecord.objects.filter(
        Q(pk=record.handle) | Q(origin_id=record.handle), workspace_id=record.workspace_id
    )


def what_became_of(newest: UsageRecord) -> str:
    """Tell by whom and how a record was changed last."""
    if newest.kind == UsageRecord.Kind.RETRACTION:
        return f"{newest.recorded_by} has retracted it"
    formats = newest.workspace.formats
    quantity = "" if newest.quantity is None else f"{spell_number(newest.quantity, formats.numbers)}, "
    return f"{newest.recorded_by} has changed it to {quantity}{spell_moment(newest.occurred_at, formats.tz)}"


def open_from(record: UsageRecord) -> datetime:
    """Return from when on a change of the record falls in no closed period."""
    if record.line:
        return record.line.open_from_at
    opened = record.customer and record.customer.events_open_from_at
    return opened or record.occurred_at


def state_of(record: UsageRecord) -> str:
    if record.kind == UsageRecord.Kind.RETRACTION:
        return "retraction"
    if record.superseded_by is not None:
        return "retracted" if record.superseded_by.kind == UsageRecord.Kind.RETRACTION else "superseded"
    if record.line_id is None and record.customer_id is None:
        return "void" if record.customer_alias == NOBODY else "unmatched"
    return "counts, late" if record.is_late else "counts"
