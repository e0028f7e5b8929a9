"""Form fields whose rows are searched for instead of listed, and the answers to these searches."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import reverse_lazy
from unfold.widgets import UnfoldAdminAutocompleteModelChoiceFieldWidget

from billing.admin.lists import NUL
from billing.names import parse_whole

PICK_PAGE = 20
# Far beyond the pages that users look at, and within a database's range of integers.
MOST_PICK_PAGES = 1_000_000
LOOKUPS = {"^": "istartswith", "=": "iexact"}
SEARCHED_AT = "data-ajax--url"


def matching(text: str, search_fields: Iterable[str]) -> Q:
    """Match rows that contain a text, including its blanks, in one of some fields.

    As in an admin's ``search_fields``, ``^`` compares the beginning and ``=`` the whole, ignoring case. An empty text
    matches every row, and one with a NUL, which no column can store, matches none.
    """
    if not text.strip():
        return Q()
    if NUL in text:
        return Q(pk__in=[])
    found = Q()
    for name in search_fields:
        lookup = LOOKUPS.get(name[0], "icontains")
        for typed in {text, text.strip()}:
            found |= Q(**{f"{name.lstrip('^=')}__{lookup}": typed})
    return found


def answer_search(
    request: HttpRequest, rows: QuerySet[Any], *, row_label: Callable[[Any], str] = str, per_page: int = PICK_PAGE
) -> JsonResponse:
    """Answer a search of a ``PickField`` with the requested page of the rows found, in their order."""
    asked = parse_whole(request.GET.get("page", ""), digits=9) or 1
    page = min(asked, MOST_PICK_PAGES)
    found = list(rows[(page - 1) * per_page : page * per_page + 1])
    results = [{"id": str(row.pk), "text": row_label(row)} for row in found[:per_page]]
    return JsonResponse({"results": results, "pagination": {"more": len(found) > per_page}})


class PickField(forms.ModelChoiceField):
    """A row that is searched for: the page contains only the chosen row, however many there are.

    The search covers the rows of the model's own admin, or is answered by the URL set by ``search_at``.
    """

    widget = UnfoldAdminAutocompleteModelChoiceFieldWidget

    def __init__(self, model: type[Model], *, row_label: Callable[[Any], str] = str, **options: Any) -> None:
        self.model, self.row_label = model, row_label
        super().__init__(model._default_manager.none(), **options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {SEARCHED_AT: reverse_lazy(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_pick")}

    def label_from_instance(self, row: Any) -> str:
        return self.row_label(row)

    def search_at(self, address: str) -> None:
        """Set the URL of the search, whose view calls ``answer_search``."""
        self.widget.attrs[SEARCHED_AT] = address

    def narrow(self, value: Any, rows: QuerySet[Any]) -> Any:
        """Accept only the chosen row, if it is one of ``rows``; return it, or None."""
        try:
            key = self.model._meta.pk.to_python(value or None)
        except ValidationError:
            key = None
        self.queryset = rows.filter(pk=key)
        return self.queryset.first()
