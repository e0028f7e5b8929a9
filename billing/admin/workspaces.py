"""Workspaces in the panel: list, open and edit them."""

import zoneinfo
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display as column
from unfold.widgets import UnfoldAdminSelect2Widget

from billing import actors, parties
from billing.admin import shown
from billing.admin.actions import Action, Reply
from billing.admin.pages import InstallationAdmin
from billing.admin.paging import ROWS_PER_PAGE
from billing.admin.row_forms import WholeModelForm
from billing.admin.seen_rows import SeenRows
from billing.entry import Formats
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.models import AllowedOrigin, Workspace

FIELDS = (
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
FIXED = ("code", "mode", "live")
FIXED_ONCE_SUBSCRIBED = ("time_zone",)


class WorkspaceForm(WholeModelForm):
    # Numbers are parsed in the format chosen in this form, so the form can't carry another one.
    reading = None

    def formats_of_row(self) -> Formats:
        written = self["number_format"].value() if self.is_bound and "number_format" in self.fields else ""
        style = written if written in list(NumberFormat) else self.instance.number_format
        return Formats(numbers=NumberFormat(style), days=DayFormat(self.instance.day_format), tz=ZoneInfo("UTC"))


class OpenWorkspace(Action[None, forms.ModelForm]):
    submit = "Open workspace"

    def title(self) -> str:
        return "Open a workspace"

    def intro(self) -> str:
        return "A workspace is one tenant. Its test-mode twin is opened with it: same settings, separate data."

    def form(self) -> forms.ModelForm:
        form_class = forms.modelform_factory(
            Workspace,
            form=WorkspaceForm,
            fields=[name for name in FIELDS if name != "mode"],
            formfield_callback=lambda field, **_: self.panel.formfield_for_dbfield(field, self.request),
        )
        return form_class(self.posted)

    def perform(self, form: forms.ModelForm) -> Reply:
        workspace = parties.create_workspace(**form.cleaned_data, actor=self.actor)
        shown.show(self.request, workspace)
        message = f"{workspace} and its test-mode twin are open. Switched to {workspace}."
        return Reply(workspace, message, log="Opened, with its test-mode twin.", is_added=True)


class AllowedOriginInline(TabularInline):
    model = AllowedOrigin
    form = WholeModelForm
    formset = SeenRows
    verbose_name = "allowed origin"
    verbose_name_plural = "websites whose pages may call the APIs with this workspace's keys"
    extra = 0
    ordering = ("origin",)
    per_page = ROWS_PER_PAGE


@admin.register(Workspace)
class WorkspaceAdmin(InstallationAdmin):
    add_action = OpenWorkspace
    list_display = ("__str__", "code", "mode_label", "time_zone", "currency", "closing", "turn_to")
    list_filter = ("mode",)
    list_select_related = ("live",)
    search_fields = ("^code", "^name")
    ordering = ("name", "mode")
    form = WorkspaceForm
    fields = FIELDS
    inlines = (AllowedOriginInline,)

    def get_inlines(self, request: HttpRequest, obj: Workspace | None = None) -> Sequence[Any]:
        # The twin uses the origins of the live workspace.
        return self.inlines if obj is not None and obj.mode == Workspace.Mode.LIVE else ()

    def save_model(self, request: HttpRequest, obj: Workspace, form: WorkspaceForm, change: bool) -> None:
        # Untouched fields may have been changed by others.
        touched = [name for name in self.fields if name not in FIXED and name in form.changed_data]
        changes = {name: getattr(obj, name) for name in touched}
        parties.update_workspace(workspace=obj, **changes, actor=actors.person(request.user))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        actor = actors.person(request.user)
        for allowed in formset.deleted_objects:
            parties.remove_origin(allowed=allowed, actor=actor)
        for allowed, _ in formset.changed_objects:
            parties.update_origin(allowed=allowed, origin=allowed.origin, actor=actor)
        for allowed in formset.new_objects:
            parties.add_origin(workspace=allowed.workspace, origin=allowed.origin, actor=actor)

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
