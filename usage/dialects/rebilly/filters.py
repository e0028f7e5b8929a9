"""Turn the clauses of a filter into conditions on usages."""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q

from billing.models import Invoice, InvoiceLine, Line, Workspace
from billing.names import parse_uuid
from usage.chains import known_as
from usage.dialects.rebilly import identifiers, rows
from usage.dialects.rebilly.grammar import Clause, Exact, MalformedFilter, Range
from usage.dialects.shared import lists, recording_order
from usage.dialects.shared.fields import is_day, parse_moment, plain_number
from usage.ledger import QuantityRefused, exact_quantity, parse_line_number

NONE = "null"

_LAST_MOMENT = timedelta(days=1, microseconds=-1)

Span = tuple[Any, Any]
Reader = Callable[[Sequence[Exact | Range], Workspace], Q]


def condition(clauses: Iterable[Clause], *, workspace: Workspace) -> Q:
    """Return the condition on ``rows.filterable_usages``; raise ``MalformedFilter``."""
    whole = Q()
    for clause in clauses:
        reader = READERS.get(clause.field)
        if reader is None:
            raise MalformedFilter(f"{clause.field}: not a filter; use one of {', '.join(READERS)}.")
        try:
            matches = reader(clause.values, workspace)
        except ValueError as error:
            raise MalformedFilter(f"{clause.field}: {error}") from error
        whole &= ~matches if clause.is_negated else matches
    return whole


def _between(within: Callable[..., Q], read: Callable[[str], Span]) -> Reader:
    """Return the reader of an ordered field; ``read`` returns the first and last value that a text represents.

    ``within`` returns the condition that the field is within bounds, given by lookup.
    """

    def span_of(text: str) -> Span:
        # Blanks around a number or a time are ignored.
        return read(text.strip())

    def bounds_of(value: Exact | Range) -> dict[str, Any]:
        match value:
            case Exact(text):
                first, last = span_of(text)
                return {"gte": first, "lte": last}
            case Range(lowest, highest):
                low = {} if lowest is None else {"gte": span_of(lowest)[0]}
                return low if highest is None else low | {"lte": span_of(highest)[1]}

    def matches(values: Sequence[Exact | Range], workspace: Workspace) -> Q:
        return functools.reduce(operator.or_, (within(workspace, **bounds_of(value)) for value in values))

    return matches


def _column(name: str) -> Callable[..., Q]:
    return lambda workspace, **bounds: Q(**{f"{name}__{lookup}": bound for lookup, bound in bounds.items()})


def _number(text: str) -> Span:
    sent = plain_number(text)
    if sent is None:
        raise ValueError(f"“{text}” is not a number.")
    try:
        number = exact_quantity(sent)
    except QuantityRefused as error:
        raise ValueError(error.message) from error
    return number, number


def _moment(text: str) -> Span:
    if not is_day(text):
        moment = parse_moment(text, zone=UTC)
        return moment, moment
    first: datetime = parse_moment(f"{text}T00:00", zone=UTC)
    return first, first + _LAST_MOMENT


def _named(condition_of: Callable[[list[str], Workspace], Q]) -> Reader:
    """Return the reader of an unordered field: an id."""

    def read(values: Sequence[Exact | Range], workspace: Workspace) -> Q:
        texts = [value.text for value in values if isinstance(value, Exact)]
        if len(texts) < len(values):
            raise ValueError("ids can't be given as a range.")
        return condition_of(texts, workspace)

    return read


def _usages(texts: list[str], workspace: Workspace) -> Q:
    numbers = _numbers(identifiers.USAGE, texts)
    return known_as(numbers, "in")


def _lines(texts: list[str], workspace: Workspace) -> Q:
    """Match usages of the lines that these names resolve to in reports."""
    named = Q(number__in=[number for text in texts if (number := parse_line_number(text)) is not None])
    named |= Q(subscription__in=[known for text in texts if (known := parse_uuid(text)) is not None])
    for text in texts:
        named |= Q(reference__iexact=text) | Q(subscription__reference__iexact=text)
    return lists.of_lines(Line.objects.filter(named, workspace=workspace))


def _invoices(texts: list[str], workspace: Workspace) -> Q:
    numbers = _numbers(identifiers.INVOICE, texts)
    # Filter by line first, so that the invoice is computed only for the usages of these lines.
    of_invoices = InvoiceLine.objects.filter(
        workspace=workspace, invoice__in=numbers, invoice__state=Invoice.State.ISSUED
    )
    lines = Line.objects.filter(workspace=workspace, pk__in=of_invoices.values("line"))
    matches = lists.of_lines(lines) & Q(first_invoice_id__in=numbers)
    return (
        matches | Q(first_invoice_id=rows.NO_INVOICE) if NONE in [text.strip().lower() for text in texts] else matches
    )


def _numbers(prefix: str, texts: list[str]) -> list[int]:
    """Return the row numbers of ids, which are case-insensitive."""
    texts = [text.strip() for text in texts]
    ids = (prefix + text[len(prefix) :].upper() for text in texts if text[: len(prefix)].lower() == prefix)
    return [number for known in ids if (number := identifiers.known(prefix, known)) is not None]


READERS: dict[str, Reader] = {
    "id": _named(_usages),
    "subscriptionId": _named(_lines),
    "invoiceId": _named(_invoices),
    "usageTime": _between(_column("occurred_at"), _moment),
    "quantity": _between(_column("quantity"), _number),
    "createdTime": _between(recording_order.first_recorded, _moment),
    "updatedTime": _between(_column("recorded_at"), _moment),
}
