"""Pagination of lists by page number."""

from typing import Any

from django.core.paginator import Paginator
from drf_spectacular.utils import OpenApiParameter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from billing.models import Workspace
from usage import ledger
from usage.dialects.shared import lists, recording_order

OF_PAGES = (
    OpenApiParameter("page", int, description="From 1."),
    OpenApiParameter("page_size", int, description="By default 20, at most 100."),
    OpenApiParameter("ordering", str, description="`id`, `date_time`, `quantity` or `created`; `-` for descending."),
)
NAMES_OF_PAGES = tuple(parameter.name for parameter in OF_PAGES)


class UsagePagination(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def __init__(self, *, whole: Workspace | None) -> None:
        self.whole = whole

    def django_paginator_class(self, found: Any, size: int) -> Paginator:  # type: ignore[override]  # called, as it is
        """Return a paginator; for a ``whole`` workspace it uses the ledger's stored count."""
        if self.whole is None:
            total = found.count()
            found = lists.in_order(found, total=total)
        else:
            total = ledger.usages_of_lines(workspace=self.whole)
            found = recording_order.AllUsages(found, workspace=self.whole, total=total)
        paginator = Paginator(found, size)
        paginator.count = total
        return paginator

    def get_page_number(self, request: Request, paginator: Paginator) -> int | str:
        number = super().get_page_number(request, paginator)
        if str(number).isdecimal() and len(str(number)) < 20:
            lists.check_offset((int(number) - 1) * paginator.per_page, parameter=self.page_query_param)
        return number
