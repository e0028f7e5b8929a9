"""Pages of rows whose form is processed only once even if it is sent again, and saves only touched fields."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from billing.admin import sending
from billing.admin.lists import CheckedList
from billing.people import DoneBefore

NO_MORE = "Nothing was changed: meanwhile somebody else has changed this, and the action is no longer possible."


class SavedOnce(CheckedList):
    """Mixin for the page of a row whose form is a ``SeenForm``."""

    def url_name(self, view: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}"

    def url_of(self, obj: Model, view: str = "change") -> str:
        return reverse(self.url_name(view), args=[obj.pk])

    def go_to(self, obj: Model) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.url_of(obj))

    def carried(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of the hidden inputs that the page of a form sends back."""
        return {"form_token": sending.token_of(request)}

    def is_fixed(self, obj: Any) -> bool:
        """Tell whether the row's state prevents all editing."""
        return False

    def tell_no_more(self, request: HttpRequest, obj: Model) -> HttpResponse:
        """Redirect a user to a row whose state no longer allows the action, with a message."""
        messages.warning(request, NO_MORE)
        return self.go_to(obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None and getattr(request, "panel_saves", False):
            # Lock the row, so that nobody changes it between the comparison and the save.
            of = {"workspace_id": obj.workspace_id} if hasattr(obj, "workspace_id") else {}
            self.model._base_manager.select_for_update(no_key=True).filter(pk=obj.pk, **of).first()
            obj = super().get_object(request, object_id, from_field)
        return obj

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra_context = {**self.carried(request), **(extra_context or {})}
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        try:
            return self._save_once(request, object_id, form_url, extra_context)
        except DoneBefore as done:
            return sending.answer_again(request, done, otherwise=reverse(self.url_name("changelist")))
        except ValidationError as refusal:
            # Errors that only the domain detects, such as a name that was just taken, are shown on the form.
            request.panel_refusal = refusal  # type: ignore[attr-defined]
            return self._save_once(request, object_id, form_url, extra_context)
        except IntegrityError:
            # Another row took the name after the form was validated: validating again shows the error on the form.
            return self._save_once(request, object_id, form_url, extra_context)
        except PermissionDenied:
            row = None if object_id is None else self.get_object(request, unquote(object_id))
            if row is None or not (self.is_fixed(row) and self.has_change_permission(request)):
                raise
            return self.tell_no_more(request, row)

    def _save_once(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        with sending.once(request) as sent:
            request.panel_saves = True  # type: ignore[attr-defined]
            try:
                response = super().changeform_view(request, object_id, form_url, extra_context)
            finally:
                # Reads from here on are outside the transaction, where rows can't be locked.
                request.panel_saves = False  # type: ignore[attr-defined]
            if sending.result_of(response):
                sent.url = getattr(request, "panel_result", "") or sending.result_of(response)
            else:
                transaction.set_rollback(True)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        form.refusal = getattr(request, "panel_refusal", None)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        columns = {column.name for column in obj._meta.concrete_fields}
        if not change:
            super().save_model(request, obj, form, change)
        elif touched := columns.intersection(form.changed_data):
            # Others may have changed the other columns.
            obj.save(update_fields=touched)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        request.panel_result = self.url_of(obj)  # type: ignore[attr-defined]
        return super().response_add(request, obj, post_url_continue)
