"""Lists that accept only the filters that they offer in a URL, and only text that the database can store."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from billing.storage import timeouts
from billing.tenancy.keys import of_workspaces

NUL = "\x00"
# Django redirects from a query string that it can't parse to the unfiltered list.
UNFILTERED = "The URL had an invalid filter: the list is shown without it."


class CountingList(ChangeList):
    """A list that counts related rows only for the rows of its page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        for name, relation in self.model_admin.counted.items():
            counts = _counts(self.model, relation, self.result_list) if self.result_list else {}
            for row in self.result_list:
                setattr(row, name, counts.get(row.pk, 0))


def _counts(model: type[Model], relation: str, shown: Sequence[Any]) -> dict[Any, int]:
    related: Any = model._meta.get_field(relation)
    to_row = related.field.name
    rows = related.related_model._default_manager.filter(**{f"{to_row}__in": [row.pk for row in shown]})
    rows = rows.filter(**of_workspaces(shown)).order_by()
    return dict(rows.values_list(to_row).annotate(number=Count("pk")))


class CheckedList(ModelAdmin):
    """A list that accepts only the filters that it offers; Django's admin accepts any lookup on any of its columns.

    Django validates most lookups only when the query runs, where a year of 99999999 is a server error.
    """

    # Further lookups beside those of the filters, for links from other pages.
    list_lookups: tuple[str, ...] = ()
    # Counts that each row of a page gets: the attribute, and the relation whose rows are counted.
    counted: Mapping[str, str] = {}

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return CountingList if self.counted else super().get_changelist(request, **options)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in self.list_lookups or any(self._is_of(one, lookup) for one in self.get_list_filter(request))

    def _is_of(self, offered: Any, lookup: str) -> bool:
        if isinstance(offered, type) and issubclass(offered, SimpleListFilter):
            return lookup == offered.parameter_name
        path = offered if isinstance(offered, str) else offered[0]
        last: Any = get_fields_from_path(self.model, path)[-1]
        target = f"__{last.target_field.name}" if last.is_relation else ""
        return lookup in (f"{path}{target}__exact", f"{path}__isnull")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if ERROR_FLAG in request.GET:
            messages.warning(request, UNFILTERED)
        if self._lies_too_far(request.GET.get(PAGE_VAR, "")):
            messages.warning(request, f"A list shows at most {settings.LIST_OFFSET:,} rows. Narrow it by a filter.")
            first = request.GET.copy()
            del first[PAGE_VAR]
            return HttpResponseRedirect(f"{request.path}?{first.urlencode()}")
        with timeouts.reading(settings.LIST_STATEMENT_SECONDS):
            response = super().changelist_view(request, extra_context)
            # Rendering runs the queries, so it has to happen within the time limit.
            return response.render() if isinstance(response, SimpleTemplateResponse) else response

    def _lies_too_far(self, page: str) -> bool:
        digits = page if page.isascii() and page.isdigit() else ""
        # A page number has fewer digits, and Python refuses to parse thousands of them.
        return len(digits) > 19 or bool(digits and (int(digits) - 1) * self.list_per_page > settings.LIST_OFFSET)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        if any(NUL in text for name, values in request.GET.lists() for text in (name, *values)):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django would treat an empty string as the name of a field.
        return super().get_object(request, object_id, from_field or None)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if NUL in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)
