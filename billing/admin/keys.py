from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display as column
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import figures, keys
from billing.admin import sending, shown
from billing.admin.actions import row_action
from billing.admin.pages import PanelAdmin, WholeModelForm, name_of, posted
from billing.admin.panel_forms import PanelForm
from billing.models import ApiKey
from billing.people import grants


class NewKeyForm(PanelForm):
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="Which service uses it.")
    text = forms.CharField(
        required=False,
        strip=False,
        label="Existing token",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="A token that your client already sends, to be accepted as it is. Empty: a new key is made.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(PanelAdmin):
    form = WholeModelForm
    list_display = (
        "name",
        "shown_prefix",
        "state",
        "last_use",
        "requests_per_minute",
        "created_by",
        "created",
    )
    list_select_related = ("workspace",)
    search_fields = ("^name", "^prefix")
    ordering = ("-id",)
    fields = (
        "name",
        "requests_per_minute",
        "shown_prefix",
        "state",
        "last_use",
        "created_by",
        "created",
        "revoked",
    )
    readonly_fields = fields[2:]
    actions_detail = ("revoke",)

    @column(description="Begins with")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @column(description="State", label={"in use": "success", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        return "revoked" if key.revoked_at else "in use"

    @column(description="Last use", ordering="last_used_at")
    def last_use(self, key: Any) -> str:
        return "never" if key.last_used_at is None else figures.moment(key.last_used_at, key.workspace.tz)

    @column(description="Created", ordering="created_at")
    def created(self, key: ApiKey) -> str:
        return figures.moment(key.created_at, key.workspace.tz)

    @column(description="Revoked")
    def revoked(self, key: ApiKey) -> str:
        return figures.moment(key.revoked_at, key.workspace.tz)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return keys.with_last_use(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return grants.may_make_keys(by=cast(User, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        key = self.get_object(request, object_id or "")
        return key is not None and key.revoked_at is None and request.user.has_perm("billing.change_apikey")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        workspace = shown.workspace_of(request)

        def perform(data: dict[str, Any]) -> HttpResponse:
            key, text = keys.create_key(
                workspace=workspace,
                name=data["name"],
                created_by=name_of(request),
                text=data["text"] or None,
            )
            self.log_addition(request, key, "Created.")
            shown = {"title": "The new key", "original": key, "key": key, "text": text, "key_url": self.url_of(key)}
            page = self.page(request, "panel/new_key.html", shown)
            # Sent again, the form leads to the key, whose text is shown this once.
            page[sending.RESULT] = self.url_of(key)
            return page

        return self.form_page(
            request,
            form=NewKeyForm(posted(request)),
            title=f"Add an API key of {workspace}",
            intro=f"The key tells the workspace: what it reports goes to {workspace}, and nowhere else.",
            submit="Create key",
            perform=perform,
        )

    @row_action(
        right="billing.change_apikey",
        permission="revoke",
        description="Revoke",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            keys.revoke_key(key=key, as_of=timezone.now())
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key} is revoked.")
            return self.go_to(key)

        return self.form_page(
            request,
            form=PanelForm(posted(request)),
            obj=key,
            title=f"Revoke {key}?",
            intro="Requests with this key are refused from now on. A revoked key does not come back.",
            submit="Revoke",
            danger=True,
            perform=perform,
        )
