"""Pagination of tables within a row's page, and of lists that are too long to count."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold import paginator

ROWS_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of a table: its rows, the total number of rows, and the URLs of the neighbouring pages."""

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


class InfinitePaginator(paginator.InfinitePaginator):
    """Paginator of a list that is not counted; the theme's templates look it up by this name.

    It finds the keys of a page's rows first, so that the columns of skipped rows are not read.
    """

    def page(self, number: Any) -> Any:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = list(self.object_list.values_list("pk", flat=True)[first : first + self.per_page])
        return self._get_page(self.object_list.filter(pk__in=keys) if keys else [], number, self)


def page_of(
    request: HttpRequest,
    rows: QuerySet[Any] | Sequence[Any],
    *,
    name: str = "page",
    per_page: int | None = None,
    told: Callable[[Sequence[Any]], Sequence[Any]] = list,
) -> Shown:
    """Return the page of a table given by the URL parameter ``name``: by default the first, beyond the end the last.

    It has ``per_page`` rows (``ROWS_PER_PAGE`` by default); ``told`` converts them for display.
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
