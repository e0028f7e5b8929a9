"""Proof of an issued invoice: compute it again from the ledger, stored cutoffs and prices, and compare the texts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F

from billing.calendar import Coverage
from billing.documents.invoice import line_document
from billing.models import Invoice, InvoiceLine
from billing.money import difference, format_money, total_of
from billing.rating import TermsError, rate
from billing.storage.exact import ExactSum
from billing.storage.jsontext import decode, encode_canonical
from usage.metering import Measurement, RuleTooLarge, Window, measure


class UnableToReplay(Exception):
    """Nothing was issued that could be compared, or by its rule or price, as they are now, nothing can be computed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the issued document and the computed one differ: a path such as ``lines.0.quantity``."""

    path: str
    issued: Any
    computed: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome: identical to the byte, or the differences."""

    number: str
    issued: str
    computed: str
    differences: tuple[Difference, ...]

    @property
    def is_identical(self) -> bool:
        return self.issued == self.computed and not self.differences


def replay(*, invoice: Invoice) -> Replay:
    """Compute an issued invoice again and compare it with what was issued. Writes nothing.

    Names are taken from the issued document, which is their only source; quantities, records, arithmetic, amounts, the
    total and the document's digest are computed. Raises ``UnableToReplay``.
    """
    if invoice.state == Invoice.State.DRAFT:
        raise UnableToReplay(f"{invoice} was not issued.")
    issued = decode(invoice.document)
    lines = list(
        invoice.lines.select_related("line__brick", "price", "rule")
        .prefetch_related("price__tiers")
        .order_by("position")
    )
    try:
        measurements = measure([_window(line, invoice) for line in lines])
        computed_lines = [
            _computed(line, measurement, invoice) for line, measurement in zip(lines, measurements, strict=True)
        ]
    except (RuleTooLarge, TermsError) as error:
        raise UnableToReplay(f"{invoice} can't be computed again. {error}") from error
    total = total_of(line.amount for line in lines)
    computed = issued | {
        "total": format_money(total, currency=invoice.currency),
        "lines": [
            _named_as_issued(line_document(row, invoice), issued["lines"], place, row)
            for place, row in enumerate(computed_lines)
        ],
    }
    differences = [*_differences(issued, computed)]
    digest = hashlib.sha256(invoice.document.encode()).hexdigest()
    if digest != invoice.document_sha256:
        differences.append(Difference("document_sha256", invoice.document_sha256, digest))
    return Replay(
        number=invoice.number or "",
        issued=invoice.document,
        computed=encode_canonical(computed),
        differences=tuple(differences),
    )


def _window(line: InvoiceLine, invoice: Invoice) -> Window:
    return Window(
        workspace_id=line.workspace_id,
        aggregation=line.line.brick.aggregation,
        line_id=line.line_id,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        cutoff=line.cutoff,
        customer_id=invoice.customer_id,
        rule=line.rule,
    )


def _computed(line: InvoiceLine, measurement: Measurement, invoice: Invoice) -> InvoiceLine:
    """Fill the line, in memory, with what comes out now."""
    coverage = Coverage(days=line.days, of_days=line.of_days)
    charge = rate(
        terms=line.price.terms(),
        quantity=measurement.quantity,
        coverage=None if coverage.is_whole else coverage,
    )
    before = InvoiceLine.objects.filter(
        workspace_id=line.workspace_id, line_id=line.line_id, starts_at=line.starts_at, invoice_id__lt=invoice.pk
    ).aggregate(billed=ExactSum(F("amount")))["billed"]
    line.quantity = measurement.quantity
    line.record_count = measurement.record_count
    line.steps = [step.as_dict() for step in charge.steps]
    line.surprise = charge.surprise
    line.rated = charge.amount
    line.billed_before = before or Decimal(0)
    line.amount = difference(line.rated, line.billed_before)
    return line


def _named_as_issued(line: dict[str, Any], issued: list[Any], place: int, row: InvoiceLine) -> dict[str, Any]:
    """Keep what things were called: a later edit of a brick's or a price's name does not change an issued invoice."""
    if place < len(issued):
        before = issued[place]
        line |= {name: before[name] for name in ("description", "unit_label")}
        # Before lines had numbers, documents named them by their keys, of which not all could become numbers.
        if before["line_id"] == row.line_id:
            line["line_id"] = before["line_id"]
        line["price"] |= {"name": before["price"]["name"]}
    return line


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
