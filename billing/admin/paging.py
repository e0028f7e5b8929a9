"""Long tables of a row's page, shown a page at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

ROWS_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of a table: its rows, how many there are on all pages, and where the pages beside it are."""

    rows: Sequence[Any]
    count: int
    number: int
    pages: int
    previous_url: str
    next_url: str

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def page_of(
    request: HttpRequest,
    rows: QuerySet[Any] | Sequence[Any],
    *,
    name: str = "page",
    per_page: int | None = None,
    told: Callable[[Sequence[Any]], Sequence[Any]] = list,
) -> Shown:
    """Return the page that the address names by ``name``: the first without one, the last for one beyond it.

    It has ``per_page`` rows, ``ROWS_PER_PAGE`` unless told otherwise; ``told`` makes of them what is shown.
    """
    page = Paginator(rows, per_page or ROWS_PER_PAGE).get_page(request.GET.get(name))
    return Shown(
        rows=told(list(page)),
        count=page.paginator.count,
        number=page.number,
        pages=page.paginator.num_pages,
        previous_url=_address(request, name, page.number - 1) if page.has_previous() else "",
        next_url=_address(request, name, page.number + 1) if page.has_next() else "",
    )


def _address(request: HttpRequest, name: str, number: int) -> str:
    query = request.GET.copy()
    query[name] = str(number)
    return f"?{query.urlencode()}"
