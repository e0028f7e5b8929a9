"""The usages of a workspace, on which invoices they are, and what a list of them may ask for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Case, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, TextField, When
from django.db.models.functions import Cast, Coalesce
from rest_framework import exceptions, status

from billing.models import Invoice, Line, Workspace
from usage.dialects.rebilly import filters
from usage.dialects.rebilly.grammar import parse
from usage.dialects.shared import lists
from usage.models import UsageRecord

DEFAULT_LIMIT, GREATEST_LIMIT = 100, 1000
_GREATEST_OFFSET = 10**15
# The last two the vendor's clients may send with any list; neither chooses rows.
PARAMETERS = ("filter", "sort", "limit", "offset", "q", "expand", "fields")

SORTS = {
    "id": "shown_id",
    "subscriptionId": "line_name",
    "quantity": "quantity",
    "usageTime": "occurred_at",
    "createdTime": "created_at",
    "updatedTime": "recorded_at",
}

_COUNTING = "line__invoice_lines"


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """The line of an issued invoice that was the first to count a usage."""

    line_id: int
    invoice_id: int


def usages(workspace: Workspace) -> QuerySet[UsageRecord]:
    """Return the live records of the workspace's lines as usages: known by the first record of their chain."""
    records = UsageRecord.objects.live().filter(workspace=workspace, line__isnull=False)
    # Not joined: for the few that are corrections, the database would read the first records of all.
    first = UsageRecord.objects.filter(workspace=workspace, pk=OuterRef("origin"))
    return (
        records.select_related("line")
        .only("id", "origin", "occurred_at", "recorded_at", "quantity", "line__number", "line__reference")
        .annotate(
            shown_id=Coalesce("origin_id", "id"),
            created_at=Case(
                When(origin=None, then=F("recorded_at")),
                default=Subquery(first.values("recorded_at")),
                output_field=DateTimeField(),
            ),
        )
    )


def usage(workspace: Workspace, number: int) -> UsageRecord | None:
    """Return the usage that its sender knows by a number, None where there is none or it was retracted."""
    return usages(workspace).filter(Q(pk=number, origin=None) | Q(origin=number)).first()


def invoice_items(workspace: Workspace, shown: Iterable[UsageRecord]) -> dict[int, InvoiceItem]:
    """Return, by usage of the workspace, the line of an issued invoice that counted it first, if any. One query."""
    ids = [record.pk for record in shown]
    if not ids:
        return {}
    found = UsageRecord.objects.filter(workspace=workspace, pk__in=ids).alias(shown_id=Coalesce("origin_id", "id"))
    found = found.annotate(item_id=_first(_COUNTING, workspace), invoice_id=_first(f"{_COUNTING}__invoice", workspace))
    return {
        pk: InvoiceItem(line_id=item_id, invoice_id=invoice_id)
        for pk, item_id, invoice_id in found.values_list("pk", "item_id", "invoice_id")
        if item_id is not None
    }


def _first(what: str, workspace: Workspace) -> Subquery:
    """Of the lines of issued invoices that have counted a usage, or what it was before it was corrected, the first."""
    counted = UsageRecord.objects.exclude(kind=UsageRecord.Kind.RETRACTION).filter(
        Q(pk=OuterRef("shown_id")) | Q(origin=OuterRef("shown_id")),
        Q(superseded_by=None) | Q(superseded_by__gt=F(f"{_COUNTING}__cutoff")),
        workspace=workspace,
        **{
            f"{_COUNTING}__invoice__state": Invoice.State.ISSUED,
            f"{_COUNTING}__starts_at__lte": F("occurred_at"),
            f"{_COUNTING}__ends_at__gt": F("occurred_at"),
            f"{_COUNTING}__cutoff__gte": F("pk"),
        },
    )
    counted = counted.order_by(f"{_COUNTING}__cutoff", f"{_COUNTING}__pk")
    return Subquery(counted.values(what)[:1], output_field=BigIntegerField())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list's query asks for."""

    condition: Q
    order: tuple[str, ...]
    limit: int
    offset: int
    is_filtered: bool

    def matching(self, workspace: Workspace) -> QuerySet[UsageRecord]:
        """Return all usages that match, in an order that is certain, so that pages neither repeat nor skip."""
        found = usages(workspace).alias(
            line_name=Coalesce("line__reference", Cast("line__number", TextField())),
            # Not NULL without one: what is unequal to NULL would be found neither by a filter nor by its negation.
            first_invoice_id=Coalesce(_first(f"{_COUNTING}__invoice", workspace), filters.NO_INVOICE),
        )
        return found.filter(self.condition).order_by(*self.order, "-id")


def read(parameters: Mapping[str, str], *, workspace: Workspace) -> Asked:
    """Return what a query asks for; raise a ``ValidationError`` that names the parameters at fault."""
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
        # As the index is that finds them.
        order = ("-occurred_at",)
    condition &= containing
    return Asked(condition=condition, order=order, limit=limit, offset=offset, is_filtered=bool(condition))


def _order(text: str) -> tuple[str, ...]:
    order = []
    for part in (part.strip() for part in text.split(",")) if text.strip() else ():
        field = SORTS.get(part.removeprefix("-"))
        if field is None:
            raise ValueError(f"Can't be sorted by “{part}”: use {', '.join(SORTS)}, with “-” for descending.")
        order.append(f"-{field}" if part.startswith("-") else field)
    return tuple(order)


def _whole(text: str, default: int, greatest: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= greatest):
        raise ValueError(f"Must be a whole number from 0 to {greatest}.")
    return int(text)


def _containing(text: str, workspace: Workspace) -> Q:
    """Match usages whose line or subscription has the text in its reference."""
    if "\0" in text:
        raise ValueError("Holds a NUL.")
    if not text:
        return Q()
    names = Q(reference__icontains=text) | Q(subscription__reference__icontains=text)
    return lists.of_lines(Line.objects.filter(names, workspace=workspace))
