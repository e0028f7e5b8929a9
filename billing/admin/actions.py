"""Actions of the panel: a form, one call of the domain, and a reply.

An action is a class that defines, in this order, its button and permission, its texts, its form and its call.
``buttons`` puts actions on the pages of an admin's rows; an admin's ``add_action`` adds a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Generic, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action as unfold_action
from unfold.enums import ActionVariant

from billing import actors
from billing.actors import Actor
from billing.admin import sending, shown
from billing.admin.pages import ECHO, InstallationAdmin
from billing.admin.panel_forms import READ_AS, AskingForm, PanelForm, add_errors
from billing.calendar import CalendarOutOfRange
from billing.models import Workspace
from billing.people import DoneBefore

View = Callable[..., HttpResponse]
Panel = TypeVar("Panel", bound=type[InstallationAdmin])
RowT = TypeVar("RowT")
FormT = TypeVar("FormT", bound=forms.BaseForm)


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an action: redirect to the page of ``row``, or render ``template`` instead, with messages.

    ``log`` is the entry for the panel's log; with ``is_added`` it is logged as the addition of the row.
    """

    row: Model
    message: str = ""
    level: int = messages.SUCCESS
    warning: str = ""
    log: str = ""
    is_added: bool = False
    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


class Action(Generic[RowT, FormT]):
    """A page with one form, and the operation that a valid form starts. Instantiated for each request.

    The operation runs in one transaction, and only once even if the form is sent again. Errors of the domain are shown
    at the form's fields; ``names`` maps names of the domain's fields to the form's, if they differ.
    """

    submit: str
    is_dangerous = False
    names: Mapping[str, str] = {}
    template = "panel/pages/form.html"

    def __init__(self, panel: InstallationAdmin, request: HttpRequest, row: RowT) -> None:
        self.panel, self.request, self.row = panel, request, row
        self.now = timezone.now()

    def title(self) -> str:
        """Return the heading of the page."""
        raise NotImplementedError

    def intro(self) -> str:
        """Return the sentences above the form."""
        return ""

    def form(self) -> FormT:
        """Return the form, bound to ``posted``."""
        raise NotImplementedError

    def perform(self, form: FormT) -> Reply:
        """Call the domain with the data of a valid form; a ``ValidationError`` is shown on the form."""
        raise NotImplementedError

    def page_row(self) -> Model | None:
        """Return the row that Cancel leads to; None: Cancel leads to the list."""
        return self.row if isinstance(self.row, Model) else None

    def context(self) -> Mapping[str, Any]:
        """Return the context of the template beside the form."""
        return {}

    @property
    def posted(self) -> Any:
        """Return the data that the form is bound to; None on the first visit, since an empty form can be posted too."""
        return self.request.POST if self.request.method == "POST" else None

    @property
    def actor(self) -> Actor:
        """Return the actor: the user of the request."""
        return actors.person(self.request.user)

    @property
    def workspace(self) -> Workspace:
        """Return the current workspace."""
        return shown.workspace_of(self.request)

    def answer(self) -> HttpResponse:
        """Answer the request: with the page of the form, or with the reply once the action is done."""
        form = self.form()
        if isinstance(form, AskingForm) and form.refusal is None:
            form.refusal = getattr(self.request, "panel_refusal", None)
        if ECHO in self.request.headers and isinstance(form, AskingForm):
            return JsonResponse(form.echoes() | {READ_AS: form.reading})
        done = self._done(form) if self.request.method == "POST" else None
        return self._page(form) if done is None else done

    def _done(self, form: FormT) -> HttpResponse | None:
        """Perform the action, once; return None if the form is invalid."""
        try:
            with sending.once(self.request) as sent:
                if form.is_valid():
                    response = self._answer_with(self.perform(form))
                    sent.url = sending.result_of(response)
                    return response
                transaction.set_rollback(True)
        except DoneBefore as done:
            return sending.answer_again(self.request, done, otherwise=self._cancel_url())
        except ValidationError as error:
            add_errors(form, error, self.names)
        except CalendarOutOfRange as error:
            form.add_error(None, str(error))
        return None

    def _answer_with(self, reply: Reply) -> HttpResponse:
        if reply.log:
            log = self.panel.log_addition if reply.is_added else self.panel.log_change
            log(self.request, reply.row, reply.log)
        if reply.message:
            messages.add_message(self.request, reply.level, reply.message)
        if reply.warning:
            messages.warning(self.request, reply.warning)
        if not reply.template:
            return self.panel.go_to(reply.row)
        page = self.panel.page(self.request, reply.template, reply.context)
        # A form that is sent again leads to the row.
        page[sending.RESULT] = self.panel.url_of(reply.row)
        return page

    def _page(self, form: FormT) -> HttpResponse:
        page = {
            "form": form,
            "title": self.title(),
            "intro": self.intro(),
            "submit_text": self.submit,
            "danger": self.is_dangerous,
            "cancel_url": self._cancel_url(),
            "original": self.page_row(),
        }
        return self.panel.page(
            self.request, self.template, {**self.panel.carried(self.request), **page, **self.context()}
        )

    def _cancel_url(self) -> str:
        row = self.page_row()
        return reverse(self.panel.url_name("changelist")) if row is None else self.panel.url_of(row)


class RowAction(Action[RowT, FormT]):
    """An action on a row, started by a button on its page. ``name`` is its part of the URL below the row's page."""

    name: str
    label: str
    icon: str
    variant = ActionVariant.DEFAULT
    # The permission that is required whatever the row's state.
    right: str

    @classmethod
    def is_possible(cls, row: RowT) -> bool:
        """Tell whether the row's state allows the action."""
        return True

    @classmethod
    def is_offered(cls, row: RowT) -> bool:
        """Tell whether the row's page shows the button."""
        return cls.is_possible(row)


class Confirmation(RowAction[RowT, PanelForm]):
    """An action on a row whose form only asks for confirmation."""

    def form(self) -> PanelForm:
        return PanelForm(self.posted)


def buttons(*actions: type[RowAction[Any, Any]]) -> Callable[[Panel], Panel]:
    """Put the buttons of actions on the page of an admin's rows, in this order."""

    def decorate(panel: Panel) -> Panel:
        for one in actions:
            setattr(panel, one.name, _view_of(one))
            setattr(panel, f"has_{one.name}_permission", _permission_of(one))
        panel.actions_detail = (*panel.actions_detail, *(one.name for one in actions))
        return panel

    return decorate


def _view_of(action: type[RowAction[Any, Any]]) -> View:
    def view(panel: InstallationAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
        return action(panel, request, panel.object_or_404(request, object_id)).answer()

    view.__name__ = action.name
    look = {"description": action.label, "icon": action.icon, "variant": action.variant}
    return row_action(right=action.right, permission=action.name, **look)(view)


def _permission_of(action: type[RowAction[Any, Any]]) -> Callable[..., bool]:
    def allowed(panel: InstallationAdmin, request: HttpRequest, object_id: str | None = None) -> bool:
        row = panel.get_object(request, object_id or "") if request.user.has_perm(action.right) else None
        if row is None:
            return False
        match = request.resolver_match
        is_asked_for = match is not None and match.url_name == panel.url_name(action.name).removeprefix("admin:")
        return action.is_possible(row) if is_asked_for else action.is_offered(row)

    return allowed


def row_action(*, right: str, permission: str, **look: Any) -> Callable[[View], View]:
    """Turn a view into a button, shown and served if ``has_{permission}_permission`` allows it for the row.

    That method refuses users without the ``right`` and rows in another state. A refused user who has the right came
    from an outdated page: redirect to the row with a message, or answer 404 if the row no longer exists.
    """

    def decorate(view: View) -> View:
        offered = unfold_action(permissions=[permission], **look)(view)

        @wraps(offered)
        def answer(panel: Any, request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            try:
                return offered(panel, request, *args, **named)
            except PermissionDenied:
                row = panel.get_object(request, named.get("object_id") or "")
                if not request.user.has_perm(right):
                    raise
                if row is None:
                    raise Http404 from None
                if done := sending.done_before(request):
                    return sending.answer_again(request, done, otherwise=panel.url_of(row))
                return panel.tell_no_more(request, row)

        return answer

    return decorate
