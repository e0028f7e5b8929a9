"""Replay issued invoices: recompute them from the ledger, stored cutoffs and prices, and compare the documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from msgspec.structs import replace

from billing.calendar import Coverage
from billing.documents import DocumentLine, InvoiceDocument, UnreadableDocument, digest_of, steps_of
from billing.invoicing import billed_by_earlier
from billing.models import Invoice, InvoiceLine
from billing.money import difference, round_money, total_of
from billing.rating import TermsError, rate
from usage.metering import Measurement, RuleTooLarge, Window, measure


class UnableToReplay(Exception):
    """There is no readable issued document, or its current rule or price can't be evaluated."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A member in which the issued and the computed document differ; the path has the form ``lines.0.quantity``."""

    path: str
    issued: Any
    computed: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay: both texts, and the differences; none if they are identical to the byte."""

    number: str
    issued: str
    computed: str
    differences: tuple[Difference, ...]

    @property
    def is_identical(self) -> bool:
        return self.issued == self.computed and not self.differences


def replay(*, invoice: Invoice) -> Replay:
    """Recompute an issued invoice and compare it with the issued document. Writes nothing.

    Names come from the issued document; quantities, records, steps, amounts, the total and the document's digest are
    computed. Both are compared in the format of the issued document. Raises ``UnableToReplay``.
    """
    if invoice.state == Invoice.State.DRAFT:
        raise UnableToReplay(f"{invoice} was not issued.")
    try:
        issued = InvoiceDocument.from_json(invoice.document)
    except UnreadableDocument as error:
        raise UnableToReplay(f"The document of {invoice} can't be read. {error}") from error
    lines = list(
        invoice.lines.select_related("line__brick", "price", "rule")
        .prefetch_related("price__tiers")
        .order_by("position")
    )
    try:
        measurements = measure([_window(line, invoice) for line in lines])
        rows = [_computed(line, measurement) for line, measurement in zip(lines, measurements, strict=True)]
        computed = _document(invoice, rows, issued)
    except (RuleTooLarge, TermsError) as error:
        raise UnableToReplay(f"{invoice} can't be recomputed. {error}") from error
    differences = [*_differences(issued.as_dict(), computed.as_dict())]
    digest = digest_of(invoice.document)
    if digest != invoice.document_sha256:
        differences.append(Difference("document_sha256", invoice.document_sha256, digest))
    return Replay(
        number=invoice.number or "",
        issued=invoice.document,
        computed=computed.to_json(),
        differences=tuple(differences),
    )


def _window(line: InvoiceLine, invoice: Invoice) -> Window:
    return Window.of(
        line.line,
        line.starts_at,
        line.ends_at,
        cutoff=line.cutoff,
        customer_id=invoice.customer_id,
        rule=line.rule,
    )


def _computed(line: InvoiceLine, measurement: Measurement) -> InvoiceLine:
    """Set the line, in memory, to the recomputed values."""
    coverage = Coverage(days=line.days, of_days=line.of_days)
    charge = rate(terms=line.price.terms(), quantity=measurement.quantity, coverage=coverage)
    line.quantity = measurement.quantity
    line.record_count = measurement.record_count
    line.steps = steps_of(charge)
    line.surprise = charge.surprise
    line.rated = charge.amount
    line.billed_before = billed_by_earlier(line)
    line.amount = difference(line.rated, line.billed_before)
    return line


def _document(invoice: Invoice, rows: Sequence[InvoiceLine], issued: InvoiceDocument) -> InvoiceDocument:
    """Return the issued document with recomputed total and lines, in its own format."""
    lines = [DocumentLine.of(row, currency=invoice.currency) for row in rows]
    total = round_money(total_of(row.amount for row in rows), currency=invoice.currency)
    named = [_named_as_issued(line, before) for line, before in zip_longest(lines, issued.lines[: len(lines)])]
    return replace(issued, total=total, lines=tuple(named))


def _named_as_issued(line: DocumentLine, issued: DocumentLine | None) -> DocumentLine:
    """Keep the issued names: later changes of a brick's or a price's name don't affect an invoice."""
    if issued is None:
        return line
    price = replace(line.price, name=issued.price.name)
    return replace(line, description=issued.description, unit_label=issued.unit_label, price=price)


def _differences(issued: Any, computed: Any, path: str = "") -> Iterator[Difference]:
    if isinstance(issued, dict) and isinstance(computed, dict):
        for key in sorted(issued.keys() | computed.keys()):
            yield from _differences(issued.get(key), computed.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(issued, list) and isinstance(computed, list):
        for n in range(max(len(issued), len(computed))):
            here = [value[n] if n < len(value) else None for value in (issued, computed)]
            yield from _differences(here[0], here[1], f"{path}.{n}".lstrip("."))
    elif issued != computed:
        yield Difference(path, issued, computed)
