"""Cursor pagination, newest first: each page starts after the last row of the previous one, even if rows are added."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Expression, Q, QuerySet, Subquery
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from billing.models import Workspace
from billing.names import parse_whole
from usage.dialects.shared import lists

CURSOR, SIZE = "cursor", "page_size"
USUAL_SIZE, LARGEST_SIZE = 50, 200
BAD_CURSOR = "Invalid cursor."


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows, newest first, and the URLs of the adjacent pages."""

    rows: list[Any]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class _Cursor:
    """A position after (or, backwards, before) the row with this primary key."""

    pk: Any
    is_backwards: bool

    def __str__(self) -> str:
        text = f"{'-' if self.is_backwards else '+'}{self.pk}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_page(
    queryset: QuerySet,
    *,
    request: Request,
    workspace: Workspace,
    by: str = "pk",
    largest: int = LARGEST_SIZE,
    sized: str | None = None,
    weight: Expression | None = None,
    are_gathered: bool = False,
) -> Page:
    """Return the page of a workspace's rows for the request's ``cursor`` and ``page_size``.

    ``by`` is a moment of the row, with ties in the order of the primary key, or ``pk``. ``sized``, ``weight`` and
    ``are_gathered`` are those of ``lists.first_rows``: the page may end early. Raises ``ValidationError`` naming the
    parameter.
    """
    size, cursor = _size(request, largest), _cursor(request, queryset)
    is_backwards = cursor is not None and cursor.is_backwards
    if cursor is not None:
        queryset = queryset.filter(_beyond(queryset, cursor, by, workspace))
    names = tuple(dict.fromkeys((by, "pk")))
    order = names if is_backwards else tuple(f"-{name}" for name in names)
    found = lists.first_rows(
        queryset, order=order, most=size + 1, sized=sized, weight=weight, are_gathered=are_gathered
    )
    goes_on, shown = found.goes_on(size), found.rows[:size]
    if is_backwards:
        shown.reverse()
    return Page(
        rows=shown,
        next=_address(request, shown[-1:], is_backwards=False) if goes_on or is_backwards else None,
        previous=_address(request, shown[:1], is_backwards=True)
        if cursor is not None and (goes_on or not is_backwards)
        else None,
    )


def _beyond(queryset: QuerySet, cursor: _Cursor, by: str, workspace: Workspace) -> Q:
    step = "gt" if cursor.is_backwards else "lt"
    by_pk = Q(**{f"pk__{step}": cursor.pk})
    if by == "pk":
        return by_pk
    # Compare the moment in the database: SQLite stores moments that it sets itself with milliseconds, as a text that
    # differs from the one that Django writes for the same moment.
    last = queryset.model._default_manager.filter(workspace=workspace, pk=cursor.pk)
    if not last.exists():
        raise exceptions.ValidationError({CURSOR: [BAD_CURSOR]})
    moment = Subquery(last.values(by)[:1])
    return Q(**{f"{by}__{step}e": moment}) & (Q(**{f"{by}__{step}": moment}) | by_pk)


def _address(request: Request, edge: list[Any], *, is_backwards: bool) -> str | None:
    if not edge:
        return None
    return replace_query_param(request.build_absolute_uri(), CURSOR, str(_Cursor(edge[0].pk, is_backwards)))


def _size(request: Request, largest: int) -> int:
    text = request.query_params.get(SIZE, str(min(USUAL_SIZE, largest)))
    size = parse_whole(text, digits=9)
    if size is None or not 1 <= size <= largest:
        raise exceptions.ValidationError({SIZE: [f"Must be from 1 to {largest}."]})
    return size


def _cursor(request: Request, queryset: QuerySet) -> _Cursor | None:
    text = request.query_params.get(CURSOR)
    if text is None:
        return None
    try:
        decoded = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
        direction, pk = decoded[:1], queryset.model._meta.pk.to_python(decoded[1:])
    except (UnicodeError, binascii.Error, ValidationError) as error:
        raise exceptions.ValidationError({CURSOR: [BAD_CURSOR]}) from error
    if direction not in ("+", "-") or str(pk) != decoded[1:]:
        raise exceptions.ValidationError({CURSOR: [BAD_CURSOR]})
    return _Cursor(pk, is_backwards=direction == "-")
