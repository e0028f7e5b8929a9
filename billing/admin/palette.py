"""The search of Ctrl+K: finds the panel's pages by name, and rows as the search of their lists does."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing import figures
from billing.admin.pages import PanelAdmin
from billing.models import Customer, Invoice, Subscription

SEARCHED = ((Customer, "groups"), (Subscription, "autorenew"), (Invoice, "receipt_long"))
# Maximum number of rows of a kind; its list finds all.
MOST_OF_A_KIND = 8
# Blanks are kept: references are compared exactly.
_TERM = forms.CharField(max_length=200, strip=False)


@dataclass(frozen=True, slots=True)
class Found:
    title: str
    description: str
    link: str
    icon: str


def palette(request: HttpRequest) -> HttpResponse:
    """Answer a search with the matching pages and rows that the user may see."""
    try:
        term = _TERM.clean(request.GET.get("s", ""))
    except ValidationError:
        term = ""
    if not term.strip():
        return render(request, "panel/fragments/palette.html", {"results": []})
    begun = perf_counter()
    results = [*_pages(request, term), *(found for kind in SEARCHED for found in _rows(request, term, *kind))]
    context = {"results": results, "term": term, "page_counter": 0, "page_obj": {"count": len(results)}}
    return render(request, "panel/fragments/palette.html", context | {"execution_time": perf_counter() - begun})


def _pages(request: HttpRequest, term: str) -> list[Found]:
    groups: Any = admin.site.get_sidebar_list(request)  # type: ignore[attr-defined]  # unfold's site
    return [
        Found(str(item["title"]), str(group.get("title", "Panel")), str(item["link"]), item["icon"])
        for group in groups
        for item in group["items"]
        if item["has_permission"] and term.strip().lower() in str(item["title"]).lower()
    ]


def _rows(request: HttpRequest, term: str, model: Any, icon: str) -> list[Found]:
    pages: Any = admin.site.get_model_admin(model)
    if not isinstance(pages, PanelAdmin) or not pages.has_view_permission(request):
        return []
    rows = pages.get_queryset(request).order_by(*pages.ordering)
    rows, _ = pages.get_search_results(request, rows, term)
    kind = str(model._meta.verbose_name).capitalize()
    return [_found(pages, row, kind, icon) for row in rows[:MOST_OF_A_KIND]]


def _found(pages: PanelAdmin, row: Any, kind: str, icon: str) -> Found:
    reference = getattr(row, "reference", None)
    facts = [kind, reference and figures.identifier(reference)]
    if isinstance(row, Invoice):
        facts.insert(1, str(row.customer))
    return Found(pages.title_of(row), ", ".join(filter(None, facts)), pages.url_of(row), icon)
