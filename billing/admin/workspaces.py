import zoneinfo
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display as column
from unfold.widgets import UnfoldAdminSelect2Widget

from billing import parties
from billing.admin import shown
from billing.admin.pages import InstallationAdmin, WholeModelForm, posted
from billing.admin.paging import ROWS_PER_PAGE
from billing.admin.seen_rows import SeenRows
from billing.entry import Formats
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.models import AllowedOrigin, Workspace

FIXED = ("code", "mode", "live")
FIXED_ONCE_SUBSCRIBED = ("time_zone",)


class WorkspaceForm(WholeModelForm):
    # It is read by the format that is chosen on it.
    reading = None

    def formats_of_row(self) -> Formats:
        written = self["number_format"].value() if self.is_bound and "number_format" in self.fields else ""
        style = written if written in list(NumberFormat) else self.instance.number_format
        return Formats(numbers=NumberFormat(style), days=DayFormat(self.instance.day_format), tz=ZoneInfo("UTC"))


class AllowedOriginInline(TabularInline):
    model = AllowedOrigin
    form = WholeModelForm
    formset = SeenRows
    verbose_name = "allowed origin"
    verbose_name_plural = "web sites whose pages may call the APIs with this workspace's keys"
    extra = 0
    ordering = ("origin",)
    per_page = ROWS_PER_PAGE


@admin.register(Workspace)
class WorkspaceAdmin(InstallationAdmin):
    list_display = ("__str__", "code", "mode_label", "time_zone", "currency", "closing", "turn_to")
    list_filter = ("mode",)
    list_select_related = ("live",)
    search_fields = ("^code", "^name")
    ordering = ("name", "mode")
    form = WorkspaceForm
    fields = (
        "name",
        "code",
        "mode",
        "time_zone",
        "currency",
        "number_format",
        "day_format",
        "closing",
        "closing_delay_hours",
    )
    inlines = (AllowedOriginInline,)

    def get_inlines(self, request: HttpRequest, obj: Workspace | None = None) -> Sequence[Any]:
        # The twin's sites are the live workspace's.
        return self.inlines if obj is not None and obj.mode == Workspace.Mode.LIVE else ()

    @column(description="Mode", label={"live": "success", "test": "warning"}, ordering="mode")
    def mode_label(self, workspace: Workspace) -> tuple[str, str]:
        return workspace.mode, workspace.get_mode_display()

    @column(description="In the panel")
    def turn_to(self, workspace: Workspace) -> str:
        return format_html('<a href="{}">Show</a>', shown.address(reverse("admin:index"), workspace_id=workspace.pk))

    def get_readonly_fields(self, request: HttpRequest, obj: Workspace | None = None) -> tuple[str, ...]:
        if obj is not None and obj.subscriptions.exists():
            return FIXED + FIXED_ONCE_SUBSCRIBED
        return FIXED

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **options: Any) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and db_field.name == "time_zone":
            names = sorted(zoneinfo.available_timezones())
            field.widget = UnfoldAdminSelect2Widget(choices=[("", ""), *zip(names, names, strict=True)])
        return field

    def has_delete_permission(self, request: HttpRequest, obj: Workspace | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        return super().get_queryset(request).select_related("live")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        form = self._new_form(request)

        def perform(data: dict[str, Any]) -> HttpResponse:
            workspace = parties.create_workspace(**data)
            self.log_addition(request, workspace, "Opened, with its test-mode twin.")
            shown.show(request, workspace)
            messages.success(request, f"{workspace} and its test-mode twin are open. The panel shows {workspace} now.")
            return self.go_to(workspace)

        return self.form_page(
            request,
            form=form,
            title="Open a workspace",
            intro="A workspace is one tenant. Its test-mode twin is opened with it: the same shape, other rows.",
            submit="Open workspace",
            perform=perform,
        )

    def _new_form(self, request: HttpRequest) -> forms.ModelForm:
        fields = [name for name in self.fields if name != "mode"]
        form_class = forms.modelform_factory(
            Workspace,
            form=WorkspaceForm,
            fields=fields,
            formfield_callback=lambda field, **_: self.formfield_for_dbfield(field, request),
        )
        return form_class(posted(request))
