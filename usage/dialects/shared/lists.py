"""Limits of lists of the ledger: their time, the offset of a page and its size in bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import (
    BigIntegerField,
    Case,
    Expression,
    F,
    Func,
    OrderBy,
    Q,
    QuerySet,
    RowRange,
    TextField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce
from rest_framework import exceptions

from billing.models import Line
from billing.storage import timeouts
from billing.storage.exact import WholeTotal
from billing.storage.outages import Outage, outage_of
from usage.models import UsageRecord
from usage.newest import FEW, GATHERED

# JSON columns that limit the size of pages, each with the column of its folded texts, which is never shown.
COPIES = {"properties": "folded", "filters": "folded_filters"}


def of_lines(lines: QuerySet[Line]) -> Q:
    """Return the condition that a record belongs to one of these lines, which are of its workspace.

    The lines are loaded first: with their ids, the database can estimate the number of records and choose the right
    index. Above ``FILTER_LINES`` lines the condition is a subquery.
    """
    most = settings.FILTER_LINES
    ids = list(lines.values_list("pk", flat=True)[: most + 1])
    return Q(line__in=ids if len(ids) <= most else lines.values("pk"))


@contextmanager
def within_time(*, narrow_by: str) -> Iterator[None]:
    """Load a list; raise ``ValidationError`` if a statement takes longer than ``LIST_STATEMENT_SECONDS``."""
    try:
        with timeouts.reading(settings.LIST_STATEMENT_SECONDS):
            yield
    except DatabaseError as error:
        if outage_of(error) is not Outage.TOO_LONG:
            raise
        raise exceptions.ValidationError(
            f"The list takes longer than {settings.LIST_STATEMENT_SECONDS} s. Narrow it by {narrow_by}."
        ) from error


def in_order(found: QuerySet[UsageRecord], *, total: int) -> QuerySet[UsageRecord]:
    """Return filtered records in their order. A few records are sorted, rather than searched in the order of ids."""
    if total > FEW:
        return found
    return found.order_by(*(GATHERED if name == "-id" else name for name in found.query.order_by))


def check_offset(offset: int, *, parameter: str) -> None:
    """Raise ``ValidationError`` naming the parameter if an offset exceeds ``LIST_OFFSET``."""
    if offset > settings.LIST_OFFSET:
        raise exceptions.ValidationError(
            {parameter: [f"The offset can be at most {settings.LIST_OFFSET} rows. Narrow the list by a filter."]}
        )


class _Bytes(Func):
    function = "octet_length"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        return self.as_sql(compiler, connection, template="length(CAST(%(expressions)s AS blob))")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a list; ``are_cut``: the limit in bytes ended them early."""

    rows: list[Any]
    are_cut: bool = False

    def goes_on(self, size: int) -> bool:
        """Tell whether there are more rows than a page of this size, provided that one additional row was loaded."""
        return self.are_cut or len(self.rows) > size


def first_rows(
    found: QuerySet[Any],
    *,
    order: Sequence[str],
    first: int = 0,
    most: int,
    sized: str | None = None,
    weight: Expression | None = None,
    are_gathered: bool = False,
) -> Rows:
    """Return at most ``most`` rows, and at least one if there is any, in one query; in two with a ``weight``.

    ``are_gathered``: the rows are so few that they should be sorted, not searched by the order of ids. ``sized`` is a
    JSON column: the rows end once it adds up to more than ``LIST_PAGE_BYTES``, and the database does not send further
    ones. ``weight``, an alternative, is the number of bytes that are loaded later for a row. Neither can be combined
    with ``first``.
    """
    terms = [_term(name, are_gathered) for name in order]
    found = found.order_by(*terms)
    if sized is None:
        rows = list(found[first : first + most])
        return Rows(rows) if weight is None else _light(found, rows, weight)
    before = Window(WholeTotal(bytes_of(sized)), order_by=terms, frame=RowRange(end=-1))
    fits = When(bytes_before__lte=settings.LIST_PAGE_BYTES, then=F(sized))
    field = found.model._meta.get_field(sized)
    found = found.annotate(bytes_before=Coalesce(before, 0)).defer(sized, COPIES[sized])
    read = list(found.annotate(sized=Case(fits, output_field=field))[:most])
    rows = list(takewhile(lambda row: row.bytes_before <= settings.LIST_PAGE_BYTES, read))
    for row in rows:
        setattr(row, sized, row.sized)
    return Rows(rows, are_cut=len(rows) < len(read))


def _light(found: QuerySet[Any], read: Sequence[Any], weight: Expression) -> Rows:
    """Return the first rows whose weights add up to at most ``LIST_PAGE_BYTES``, and one additional row."""
    # Compute weights after the rows are found: a single query would compute them for all rows before sorting.
    weighed = found.order_by().filter(pk__in=[row.pk for row in read])
    weights = dict(weighed.values_list("pk", weight))
    before = accumulate((weights.get(row.pk, 0) for row in read), initial=0)
    rows = [row for row, bytes_before in zip(read, before, strict=False) if bytes_before <= settings.LIST_PAGE_BYTES]
    return Rows(rows, are_cut=len(rows) < len(read))


def bytes_of(column: str) -> Expression:
    """Return the length in bytes of a JSON column as text."""
    return _Bytes(Cast(column, TextField()))


def _term(name: str, is_gathered: bool) -> OrderBy:
    field = name.removeprefix("-")
    value = F(field) + Value(0) if is_gathered and field in ("id", "pk") else F(field)
    return OrderBy(value, descending=name.startswith("-"))
