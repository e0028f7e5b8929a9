"""Base classes of all admins: for rows of the installation, rows of a workspace, and read-only rows."""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from billing import history
from billing.admin import shown
from billing.admin.changes import told
from billing.admin.panel_forms import READ_AS, AskingForm
from billing.admin.picking import answer_search, matching
from billing.admin.row_forms import entry_field
from billing.admin.saving import SavedOnce

# The length of the shortest column of names: a first and a last name together can be twice as long.
CHANGES_SHOWN = 100
# Event rules can be long: the list of changes ends with the change that reaches this number of characters.
LETTERS_SHOWN = 200_000
# The header of requests that ask how a form's entries are parsed: nothing is saved.
ECHO = "X-Panel-Echo"


def copyable(text: Any) -> SafeString:
    return render_to_string("panel/boxes/copyable.html", {"text": text})


class OfWorkspace:
    """Restrict an admin or an inline to rows of the current workspace."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pages: Any = super()
        return shown.narrowed(pages.get_queryset(request), request)


class InstallationAdmin(SavedOnce):
    """Rows of the whole installation: a list without bulk actions, and pages with one form each."""

    actions = None
    list_filter_submit = True
    list_per_page = 50
    compressed_fields = True
    # The action that adds a row, unless the model's own form does.
    add_action: Callable[..., Any] | None = None

    def view_at(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        return path(route, self.admin_site.admin_view(view), name=name)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **options: Any) -> forms.Field | None:
        if (typed := entry_field(db_field)) is not None:
            return typed
        field = super().formfield_for_dbfield(db_field, request, **options)
        # Without the wrapper's buttons, which open other forms in windows.
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.panel_title = self.title_of(obj)
        return obj

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows that contain the typed text, including its blanks, in one of ``search_fields``."""
        if not self.search_fields or not search_term.strip():
            return queryset, False
        found = matching(search_term, self.search_fields)
        if numbers := self.numbered(request, search_term.strip()):
            found |= Q(pk__in=numbers)
        return queryset.filter(found), False

    def numbered(self, request: HttpRequest, text: str) -> list[Any]:
        """Return the keys of the rows that are displayed with the number in a text; none if rows have no numbers."""
        return []

    def title_of(self, obj: Any) -> str:
        """Return the name of a row for the page's title."""
        return str(obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the panel's log of a row and the changes of its values, by users and API keys alike."""
        row = self.get_object(request, unquote(object_id))
        changes = (
            () if row is None else told(row, history.newest_of(row, most=CHANGES_SHOWN, most_letters=LETTERS_SHOWN))
        )
        tz = self.zone_of(row)
        note = f"Times of {tz.key}, the last {len(changes)}" if tz else ""
        context = {"changes": changes, "changes_note": note, "tz": tz}
        return super().history_view(request, object_id, context | (extra_context or {}))

    def zone_of(self, row: Any) -> ZoneInfo | None:
        """Return the time zone of a row's workspace, or of the row itself if it is a workspace; None for other rows."""
        return getattr(getattr(row, "workspace", row), "tz", None)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if self.add_action is None:
            return super().add_view(request, form_url, extra_context)
        self.require(self.has_add_permission(request))
        return self.add_action(self, request, None).answer()

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def require(self, allowed: bool) -> None:
        if not allowed:
            raise PermissionDenied

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST" and ECHO in request.headers:
            return JsonResponse(self._echoes(request, object_id))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _echoes(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        row = None if object_id is None else self.get_object(request, unquote(object_id))
        self.require(self.has_add_permission(request) if row is None else self.has_change_permission(request, row))
        form = self.get_form(request, row, change=row is not None)(request.POST, instance=row)
        form.is_valid()
        formsets, _ = self._create_formsets(request, form.instance, change=row is not None)
        rows = [one for formset in formsets for one in formset.forms]
        echoes: dict[str, Any] = {READ_AS: form.reading} if isinstance(form, AskingForm) else {}
        for one in (form, *rows):
            if isinstance(one, AskingForm):
                echoes |= one.echoes()
        return echoes

    def page(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        whole = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, **context}
        return render(request, template, whole)


class PanelAdmin(OfWorkspace, InstallationAdmin):
    """Rows of the current workspace: a list without bulk actions, and pages with one form each."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        form.workspace = shown.workspace_of(request)
        return form

    def carried(self, request: HttpRequest) -> dict[str, Any]:
        return super().carried(request) | {"carried_workspace": shown.workspace_of(request).pk}

    def _get_obj_does_not_exist_redirect(self, *_: Any) -> HttpResponse:
        # The answer is the same for a row of another workspace: it does not reveal that the row exists.
        raise Http404


class ReadOnlyAdmin(PanelAdmin):
    """Rows that no form edits: only actions change them, if anything does.

    Rows of a model without a history have no page of changes.
    """

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        shown = {} if history.is_kept_of(self.model) else {"show_history": False}
        return super().changeform_view(request, object_id, form_url, shown | (extra_context or {}))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if history.is_kept_of(self.model):
            return super().history_view(request, object_id, extra_context)
        self.require(self.has_view_permission(request))
        return self.go_to(self.object_or_404(request, unquote(object_id)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def may(self, request: HttpRequest, action: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}")


class PickableAdmin(PanelAdmin):
    """Rows with a name, among which a ``PickField`` searches."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_pick"
        return [self.view_at("pick/", self.pick_view, name), *super().get_urls()]

    def pick_view(self, request: HttpRequest) -> HttpResponse:
        self.require(self.has_view_permission(request))
        rows = shown.narrowed(self.model._default_manager.order_by("name", "pk"), request)
        rows, _ = self.get_search_results(request, rows, request.GET.get("term", ""))
        return answer_search(request, rows)
