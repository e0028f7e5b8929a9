"""API keys in the panel: list, create and revoke them."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display as column
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import actors, figures, keys
from billing.admin.actions import Action, Confirmation, Reply, buttons
from billing.admin.pages import PanelAdmin
from billing.admin.panel_forms import PanelForm
from billing.admin.row_forms import WholeModelForm
from billing.models import ApiKey
from billing.people import grants


class NewKeyForm(PanelForm):
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="Which service uses it.")
    text = forms.CharField(
        required=False,
        strip=False,
        label="Existing token",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="A token that your client already sends, to be accepted unchanged. Empty: a new key is generated.",
    )


class CreateKey(Action[None, NewKeyForm]):
    submit = "Create key"

    def title(self) -> str:
        return f"Add an API key of {self.workspace}"

    def intro(self) -> str:
        owner = self.workspace
        return f"The key belongs to one workspace: usage reported with it is recorded in {owner} only."

    def form(self) -> NewKeyForm:
        return NewKeyForm(self.posted)

    def perform(self, form: NewKeyForm) -> Reply:
        data = form.cleaned_data
        key, text = keys.create_key(
            workspace=self.workspace, name=data["name"], text=data["text"] or None, actor=self.actor
        )
        # The text is shown only once.
        page = {"title": "The new key", "original": key, "key": key, "text": text, "key_url": self.panel.url_of(key)}
        return Reply(key, log="Created.", is_added=True, template="panel/pages/new_key.html", context=page)


class RevokeKey(Confirmation[ApiKey]):
    name, label, icon, variant = "revoke", "Revoke", "block", ActionVariant.DANGER
    right = "billing.change_apikey"
    submit, is_dangerous = "Revoke", True

    @classmethod
    def is_possible(cls, row: ApiKey) -> bool:
        return row.revoked_at is None

    def title(self) -> str:
        return f"Revoke {self.row}?"

    def intro(self) -> str:
        return "Requests with this key are refused from now on. This can't be undone."

    def perform(self, form: PanelForm) -> Reply:
        keys.revoke_key(key=self.row, actor=self.actor, as_of=self.now)
        return Reply(self.row, f"{self.row} is revoked.", log="Revoked.")


@admin.register(ApiKey)
@buttons(RevokeKey)
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
    add_action = CreateKey

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

    def save_model(self, request: HttpRequest, obj: ApiKey, form: WholeModelForm, change: bool) -> None:
        # Untouched fields may have been changed by others.
        touched = [name for name in ("name", "requests_per_minute") if name in form.changed_data]
        keys.update_key(key=obj, **{name: getattr(obj, name) for name in touched}, actor=actors.person(request.user))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return keys.with_last_use(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return grants.may_make_keys(by=cast(User, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
