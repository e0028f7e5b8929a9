"""The document of an invoice: a frozen, versioned value, and its canonical JSON.

An issued invoice stores the JSON text and its digest. Replay, and all code that shows an issued invoice, uses the
value. A document contains its ``format``:

- Every later version of the program reads a format and writes the same bytes.
- A new member requires a new format: it gets a default here, and ``as_dict`` writes it from that format on. New
  documents are written in ``FORMAT``; replay compares in the format of the stored document.
"""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

import msgspec

from billing.documents.lines import DocumentLine, DocumentPrice, Moment, Span, amount_text, moment
from billing.models import Customer, Invoice, InvoiceLine
from billing.money import round_money
from billing.storage.jsontext import encode_canonical

FORMAT = 1
# By price id.
Prices = dict[int, DocumentPrice]


class UnreadableDocument(ValueError):
    """The text is not a document in a format that this version supports; the message gives the reason."""


class DocumentWorkspace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The workspace that issued the invoice."""

    code: str
    mode: str
    name: str
    time_zone: str

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "mode": self.mode, "name": self.name, "time_zone": self.time_zone}


class DocumentCustomer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer that the invoice was issued to."""

    id: UUID
    name: str
    reference: str | None
    email: str
    address: str

    @classmethod
    def of(cls, customer: Customer) -> Self:
        return cls(
            id=customer.pk,
            name=customer.name,
            reference=customer.reference,
            email=customer.email,
            address=customer.address,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "reference": self.reference,
            "email": self.email,
            "address": self.address,
        }


class DocumentSubscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The subscription that was billed."""

    id: UUID
    reference: str | None

    def as_dict(self) -> dict[str, Any]:
        return {"id": str(self.id), "reference": self.reference}


class _Versioned(msgspec.Struct):
    """The part of a document that contains its format."""

    format: int


class InvoiceDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of an invoice. ``number`` and ``issued_at`` are None while it is a draft; lines are in order."""

    format: int
    number: str | None
    kind: str
    issued_at: Moment | None
    workspace: DocumentWorkspace
    customer: DocumentCustomer
    subscription: DocumentSubscription
    period: Span
    currency: str
    cutoff: int
    total: Decimal
    lines: tuple[DocumentLine, ...]

    @classmethod
    def from_invoice(cls, invoice: Invoice, *, prices: Prices | None = None, in_format: int | None = None) -> Self:
        """Return the document of an invoice with current names and prices, in the given or the newest format.

        Reads the invoice's customer, subscription, workspace and lines with their bricks and prices: load them first.
        ``prices``: a cache shared by the documents of several invoices; thousands of lines have a few prices.
        Raises ``TermsError`` if a price's tiers are incomplete.
        """
        prices = {} if prices is None else prices
        workspace, subscription, currency = invoice.workspace, invoice.subscription, invoice.currency
        rows = sorted(invoice.lines.all(), key=lambda row: row.position)
        return cls(
            format=FORMAT if in_format is None else in_format,
            number=invoice.number,
            kind=invoice.kind,
            issued_at=invoice.issued_at,
            workspace=DocumentWorkspace(
                code=workspace.code, mode=workspace.mode, name=workspace.name, time_zone=workspace.time_zone
            ),
            customer=DocumentCustomer.of(invoice.customer),
            subscription=DocumentSubscription(id=subscription.pk, reference=subscription.reference),
            period=Span.of(invoice),
            currency=currency,
            cutoff=invoice.cutoff,
            total=round_money(invoice.total, currency=currency),
            lines=tuple(DocumentLine.of(row, currency=currency, price=_price_of(row, prices)) for row in rows),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the document of a text that ``to_json`` wrote, in this version of the program or an earlier one.

        ``to_json`` returns the same text. Raises ``UnreadableDocument`` for any other text.
        """
        try:
            version = msgspec.json.decode(text, type=_Versioned).format
            if not 1 <= version <= FORMAT:
                raise UnreadableDocument(f"Its format is {version}, and this version reads up to {FORMAT}.")
            document = msgspec.json.decode(text, type=cls)
            rewritten = document.to_json()
        except UnreadableDocument:
            raise
        except (ValueError, OverflowError) as error:
            raise UnreadableDocument(f"It is not an invoice document: {error}.") from error
        if rewritten != text:
            raise UnreadableDocument("It is not in canonical form.")
        return document

    def to_json(self) -> str:
        """Return the document's canonical JSON: sorted members, decimals as text, moments in UTC."""
        return encode_canonical(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the members of the document's format, ready for JSON."""
        return {
            "format": self.format,
            "number": self.number,
            "kind": self.kind,
            "issued_at": _moment(self.issued_at),
            "workspace": self.workspace.as_dict(),
            "customer": self.customer.as_dict(),
            "subscription": self.subscription.as_dict(),
            "period": self.period.as_dict(),
            "currency": self.currency,
            "cutoff": self.cutoff,
            "total": amount_text(self.total),
            "lines": [line.as_dict() for line in self.lines],
        }


def _price_of(row: InvoiceLine, prices: Prices) -> DocumentPrice:
    if row.price_id not in prices:
        prices[row.price_id] = DocumentPrice.of(row.price)
    return prices[row.price_id]


def _moment(value: datetime | None) -> str | None:
    return None if value is None else moment(value)


def digest_of(document: str) -> str:
    """Return the SHA-256 of a document's text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(document.encode()).hexdigest()
