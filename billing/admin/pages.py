"""What the panel's pages share: a list's defaults, pages that are one form and one domain call, and searching."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Field, IntegerField, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from billing import figures, history, names
from billing.admin import sending, shown
from billing.admin.changes import told
from billing.admin.entry_fields import NumberField, WholeNumberField
from billing.admin.lists import NUL
from billing.admin.panel_forms import READ_AS, AskingForm, add_errors
from billing.admin.saving import SavedOnce
from billing.calendar import CalendarOutOfRange
from billing.entry import Formats
from billing.models import Name
from billing.models.texts import IdentifierFormField
from billing.people.sent_forms import DoneBefore
from billing.storage.exact import ExactDecimalField

PICK_PAGE = 20
MOST_PICK_PAGES = 1_000_000
# The least of what columns of names take: a person's first and last name may be twice as long together.
LONGEST_NAME = 150
LOOKUPS = {"^": "istartswith", "=": "iexact"}
CHANGES_SHOWN = 100
# Rules of events may be long: the page ends with the change that has it hold so many letters.
LETTERS_SHOWN = 200_000
# A request that asks what is understood of a form as it stands: nothing is saved.
ECHO = "X-Panel-Echo"


def name_of(request: HttpRequest) -> str:
    """Return the name that is kept with what a person did, as much of it as is kept."""
    user = request.user
    return (getattr(user, "get_full_name", str)() or user.get_username())[:LONGEST_NAME]


def posted(request: HttpRequest) -> Any:
    """Return what a form is bound to: nothing on the first visit, and an empty form is posted too."""
    return request.POST if request.method == "POST" else None


def copyable(text: Any) -> SafeString:
    return render_to_string("panel/copyable.html", {"text": text})


class WholeModelForm(AskingForm, forms.ModelForm):
    """Checks uniqueness in the workspace, which is none of its fields: a new row is of the one that is shown."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.workspace is not None and self.instance._state.adding:
            self.instance.workspace = self.workspace
        self.read_as(self.formats_of_row())
        for name, field in self.fields.items():
            known = self.get_initial_for_field(field, name)
            if isinstance(field, IdentifierFormField) and isinstance(known, str) and known != known.strip():
                field.help_text = f"{field.help_text} Blanks at the ends belong to it: “{figures.identifier(known)}”."
        if given := self.fields.get("id"):
            given.label = "ID"
            given.help_text = "Change it only to take over an id that clients hold already."

    def formats_of_row(self) -> Formats | None:
        """Return the formats of the row's workspace; None of a row that has none yet."""
        return self.instance.workspace.formats if self.instance.workspace_id else None

    def _get_validation_exclusions(self) -> set[str]:
        # A row whose workspace was not found out yet has another field that says so.
        known = {"workspace"} if getattr(self.instance, "workspace_id", None) else set()
        # What stood there before a rule was made is nothing that the form has to refuse.
        as_before = set() if self.instance._state.adding else set(self.fields) - set(self.changed_data)
        return (super()._get_validation_exclusions() | as_before) - known  # type: ignore[misc]


def refuse_taken_names(form: forms.ModelForm, kind: Name.Kind) -> None:
    """Raise ``ValidationError`` naming the field of a model's form that gives an id or a reference of another row."""
    data = form.cleaned_data
    workspace_id = form.instance.workspace_id
    given = {str(data[name]): name for name in ("id", "reference") if name in form.changed_data and data.get(name)}
    if workspace_id and given:
        owner = str(data.get("id") or form.instance.pk)
        names.check(workspace_id=workspace_id, kind=kind, owner=owner, names=given)


def entry_field(column: Field) -> forms.Field | None:
    """Return the form field of a column whose values are typed as numbers, None of any other."""
    if isinstance(column, ExactDecimalField):
        return column.formfield(form_class=NumberField, min_value=Decimal(0))
    if isinstance(column, IntegerField):
        return column.formfield(form_class=WholeNumberField)
    return None


class OfWorkspace:
    """Rows of the workspace that the panel shows alone: of a page, or of the rows of a row."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pages: Any = super()
        return shown.narrowed(pages.get_queryset(request), request)


class InstallationAdmin(SavedOnce):
    """A list without bulk deletion, and pages that are one form."""

    actions = None
    list_filter_submit = True
    list_per_page = 50
    compressed_fields = True

    def view_at(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        return path(route, self.admin_site.admin_view(view), name=name)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **options: Any) -> forms.Field | None:
        if (typed := entry_field(db_field)) is not None:
            return typed
        field = super().formfield_for_dbfield(db_field, request, **options)
        # Buttons that open other forms in windows: there are pages for that.
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
        """Find the rows that have what was typed as a whole, blanks in it included, in one of ``search_fields``."""
        if NUL in search_term:
            return queryset.none(), False
        if not self.search_fields or not search_term.strip():
            return queryset, False
        typed = {search_term, search_term.strip()}
        found = Q(pk__in=self.numbered(request, search_term.strip()))
        for name in self.search_fields:
            lookup = LOOKUPS.get(name[0], "icontains")
            for text in typed:
                found |= Q(**{f"{name.lstrip('^=')}__{lookup}": text})
        return queryset.filter(found), False

    def numbered(self, request: HttpRequest, text: str) -> list[Any]:
        """Return the keys of the rows that people call by a number, where a list has such."""
        return []

    def title_of(self, obj: Any) -> str:
        """Return what the page's head calls a row: a name, where the row itself only has an id."""
        return str(obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show what the panel has logged, and beside it every change by its values, whoever made it."""
        row = self.get_object(request, unquote(object_id))
        changes = (
            () if row is None else told(row, history.newest_of(row, most=CHANGES_SHOWN, most_letters=LETTERS_SHOWN))
        )
        context = {"changes": changes, "tz": self.zone_of(row)}
        return super().history_view(request, object_id, context | (extra_context or {}))

    def zone_of(self, row: Any) -> ZoneInfo | None:
        """Return the zone in which a row's moments are shown: its workspace's, which a workspace is itself."""
        return getattr(getattr(row, "workspace", row), "tz", None)

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def require(self, allowed: bool) -> None:
        if not allowed:
            raise PermissionDenied

    def form_page(
        self,
        request: HttpRequest,
        *,
        form: forms.BaseForm,
        title: str,
        submit: str,
        perform: Callable[[dict[str, Any]], HttpResponse],
        obj: Model | None = None,
        names: Mapping[str, str] | None = None,
        template: str = "panel/form_page.html",
        **context: Any,
    ) -> HttpResponse:
        """Show a form; once it is valid, `perform` makes the one domain call, whose refusal lands on the fields.

        `names`: the form's name of a field where the domain has another. It is done in one transaction, and once
        however often it is sent; a response that is no redirect names what came of it in ``sending.RESULT``.
        """
        if ECHO in request.headers and isinstance(form, AskingForm):
            return JsonResponse(form.echoes() | {READ_AS: form.reading})
        cancel = self.url_of(obj) if obj else reverse(self.url_name("changelist"))
        if request.method == "POST":
            try:
                with sending.once(request) as sent:
                    if form.is_valid():
                        response = perform(form.cleaned_data)
                        sent.url = sending.result_of(response)
                        return response
                    transaction.set_rollback(True)
            except DoneBefore as done:
                return sending.answer_again(request, done, otherwise=cancel)
            except ValidationError as error:
                add_errors(form, error, names or {})
            except CalendarOutOfRange as error:
                form.add_error(None, str(error))
        page = {"form": form, "title": title, "submit_text": submit, "cancel_url": cancel, "original": obj, **context}
        return self.page(request, template, {**self.carried(request), **page})

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
    """The rows of the workspace that is shown: a list without bulk deletion, and pages that are one form."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        form.workspace = shown.workspace_of(request)
        return form

    def carried(self, request: HttpRequest) -> dict[str, Any]:
        return super().carried(request) | {"carried_workspace": shown.workspace_of(request).pk}

    def _get_obj_does_not_exist_redirect(self, *_: Any) -> HttpResponse:
        # Neither is it told where it is the row of another workspace.
        raise Http404


class ReadOnlyAdmin(PanelAdmin):
    """Rows that no form edits: what changes them is a page of its own, or nothing.

    Where nothing does, there is no history: the row's own page says all.
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
    """Rows with a name that `PickField` finds."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_pick"
        return [self.view_at("pick/", self.pick_view, name), *super().get_urls()]

    def pick_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = request.GET.get("page", "")
        # Bounded where people leaf, and far within what a database counts to.
        page = min(max(int(text), 1), MOST_PICK_PAGES) if text.isascii() and text.isdigit() and len(text) < 10 else 1
        rows = shown.narrowed(self.model._default_manager.order_by("name", "pk"), request)
        rows, _ = self.get_search_results(request, rows, request.GET.get("term", ""))
        found = list(rows[(page - 1) * PICK_PAGE : page * PICK_PAGE + 1])
        results = [{"id": str(row.pk), "text": str(row)} for row in found[:PICK_PAGE]]
        return JsonResponse({"results": results, "pagination": {"more": len(found) > PICK_PAGE}})
