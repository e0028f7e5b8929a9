"""The query parameters of a list: its filter, order and page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status

from billing.models import Line, Workspace
from billing.names import parse_whole
from usage.dialects.rebilly import filters, rows
from usage.dialects.rebilly.grammar import parse
from usage.dialects.shared import lists
from usage.models import UsageRecord

DEFAULT_LIMIT, GREATEST_LIMIT = 100, 1000
_GREATEST_OFFSET = 10**15
# The vendor's clients may send the last two with any list; neither filters rows.
PARAMETERS = ("filter", "sort", "limit", "offset", "q", "expand", "fields")

SORTS = {
    "id": "shown_id",
    "subscriptionId": "line_name",
    "quantity": "quantity",
    "usageTime": "occurred_at",
    "createdTime": "created_at",
    "updatedTime": "recorded_at",
}

LIST_PARAMETERS = [
    OpenApiParameter(
        "filter", str, description="`field:value`; `,` separates values, `;` separates fields, `!` negates."
    ),
    OpenApiParameter("sort", str, description=f"Any of {', '.join(SORTS)}, separated by commas; `-` for descending."),
    OpenApiParameter("limit", {"type": "integer", "minimum": 0, "maximum": GREATEST_LIMIT, "default": DEFAULT_LIMIT}),
    OpenApiParameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
    OpenApiParameter("q", str, description="A part of a line's or a subscription's reference."),
]
LIST_HEADERS = [
    OpenApiParameter(f"Pagination-{name}", int, OpenApiParameter.HEADER, response=[200])
    for name in ("Total", "Limit", "Offset")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """The requested filter, order and page of a list."""

    condition: Q
    order: tuple[str, ...]
    limit: int
    offset: int
    is_filtered: bool

    def matching(self, workspace: Workspace) -> QuerySet[UsageRecord]:
        """Return all usages that match, in a total order, so that pages neither repeat nor skip any."""
        return rows.filterable_usages(workspace).filter(self.condition).order_by(*self.order, "-id")


def read(parameters: Mapping[str, str], *, workspace: Workspace) -> Asked:
    """Read the query parameters of a list; raise ``ValidationError`` naming the invalid ones."""
    problems: dict[str, list[str]] = {}

    def value(name: str, reader: Callable[[str], Any]) -> Any:
        try:
            return reader(parameters.get(name, ""))
        except ValueError as error:
            problems[name] = [str(error)]
            return None

    condition = value("filter", lambda text: filters.condition(parse(text), workspace=workspace))
    order = value("sort", _order)
    limit = value("limit", lambda text: _whole(text.strip(), DEFAULT_LIMIT, GREATEST_LIMIT))
    offset = value("offset", lambda text: _whole(text.strip(), 0, _GREATEST_OFFSET))
    containing = value("q", lambda text: _containing(text.strip(), workspace))
    if problems:
        error = exceptions.ValidationError(problems)
        error.status_code = status.HTTP_400_BAD_REQUEST
        raise error
    lists.check_offset(offset, parameter="offset")
    if not order and any(clause.field == "usageTime" for clause in parse(parameters.get("filter", ""))):
        # The order of the index in use.
        order = ("-occurred_at",)
    condition &= containing
    return Asked(condition=condition, order=order, limit=limit, offset=offset, is_filtered=bool(condition))


def _order(text: str) -> tuple[str, ...]:
    order = []
    for part in (part.strip() for part in text.split(",")) if text.strip() else ():
        field = SORTS.get(part.removeprefix("-"))
        if field is None:
            raise ValueError(f"Unknown order “{part}”: use {', '.join(SORTS)}, with “-” for descending.")
        order.append(f"-{field}" if part.startswith("-") else field)
    return tuple(order)


def _whole(text: str, default: int, greatest: int) -> int:
    if not text:
        return default
    number = parse_whole(text, digits=19)
    if number is None or number > greatest:
        raise ValueError(f"Must be a whole number from 0 to {greatest}.")
    return number


def _containing(text: str, workspace: Workspace) -> Q:
    """Match usages whose line or subscription has the text in its reference."""
    if "\0" in text:
        raise ValueError("Contains a NUL character.")
    if not text:
        return Q()
    names = Q(reference__icontains=text) | Q(subscription__reference__icontains=text)
    return lists.of_lines(Line.objects.filter(names, workspace=workspace))
