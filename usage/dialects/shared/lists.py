"""What lists of the ledger have in common: how long one may take, how far it is let skip, how large a page grows."""

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
from usage.dialects.shared.newest import FEW, GATHERED
from usage.models import UsageRecord

# Columns of JSON by which pages are sized, each with the one that holds its folded texts and is never shown.
COPIES = {"properties": "folded", "filters": "folded_filters"}


def of_lines(lines: QuerySet[Line]) -> Q:
    """Return the condition that a record is of one of some lines of its workspace.

    They are read first: of ids that it sees, the database knows how many records they have, and takes the right index.
    Those of up to ``FILTER_LINES`` lines are found one line after the other, of more beside each other.
    """
    most = settings.FILTER_LINES
    ids = list(lines.values_list("pk", flat=True)[: most + 1])
    return Q(line__in=ids if len(ids) <= most else lines.values("pk"))


@contextmanager
def within_time(*, narrow_by: str) -> Iterator[None]:
    """Read a list; where the database needs longer than a list may take, raise ``ValidationError`` that says so."""
    try:
        with timeouts.reading(settings.LIST_STATEMENT_SECONDS):
            yield
    except DatabaseError as error:
        if outage_of(error) is not Outage.TOO_LONG:
            raise
        raise exceptions.ValidationError(
            f"To look through so many records takes longer than the {settings.LIST_STATEMENT_SECONDS} s that a list"
            f" has. Narrow it: by {narrow_by}."
        ) from error


def in_order(found: QuerySet[UsageRecord], *, total: int) -> QuerySet[UsageRecord]:
    """Return the records that a filter leaves in their order, few of them not looked for in the order of ids."""
    if total > FEW:
        return found
    return found.order_by(*(GATHERED if name == "-id" else name for name in found.query.order_by))


def check_offset(offset: int, *, parameter: str) -> None:
    """Raise ``ValidationError`` naming the parameter where a page lies too far behind the first."""
    if offset > settings.LIST_OFFSET:
        raise exceptions.ValidationError(
            {parameter: [f"A list can be paged through for {settings.LIST_OFFSET} rows. Narrow it by a filter."]}
        )


class _Bytes(Func):
    function = "octet_length"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        return self.as_sql(compiler, connection, template="length(CAST(%(expressions)s AS blob))")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a list; ``are_cut``: bytes ended them early."""

    rows: list[Any]
    are_cut: bool = False

    def goes_on(self, size: int) -> bool:
        """Tell whether there is more than a page of this size, one more than which was asked for."""
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
    """Return at most so many rows, one at least if there is one, in one query; in two where they have a ``weight``.

    ``are_gathered``: they are few, and not looked for in the order of ids.
    ``sized`` names a column of JSON, of which they have no more than ``LIST_PAGE_BYTES`` together, and that of one row
    more: what goes beyond is not even sent by the database. ``weight`` says instead how many bytes a row brings that
    are read after it. Neither is for what skips rows.
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
    """Return the first of some rows that bring no more than ``LIST_PAGE_BYTES`` together, and one row more."""
    # Weighed once they are found: what is weighed on the way is all that there is, to be put in order.
    weighed = found.order_by().filter(pk__in=[row.pk for row in read])
    weights = dict(weighed.values_list("pk", weight))
    before = accumulate((weights.get(row.pk, 0) for row in read), initial=0)
    rows = [row for row, bytes_before in zip(read, before, strict=False) if bytes_before <= settings.LIST_PAGE_BYTES]
    return Rows(rows, are_cut=len(rows) < len(read))


def bytes_of(column: str) -> Expression:
    """Return how many bytes a column of JSON has as text."""
    return _Bytes(Cast(column, TextField()))


def _term(name: str, is_gathered: bool) -> OrderBy:
    field = name.removeprefix("-")
    value = F(field) + Value(0) if is_gathered and field in ("id", "pk") else F(field)
    return OrderBy(value, descending=name.startswith("-"))
