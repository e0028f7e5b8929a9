"""Invoice documents: typed, versioned values of issued invoices, and their canonical JSON, which is stored."""

from billing.documents.invoice import FORMAT, DocumentCustomer, InvoiceDocument, Prices, UnreadableDocument, digest_of
from billing.documents.lines import DocumentLine, columns_of, moment, steps_of, unsaved_line

__all__ = [
    "FORMAT",
    "DocumentCustomer",
    "DocumentLine",
    "InvoiceDocument",
    "Prices",
    "UnreadableDocument",
    "columns_of",
    "digest_of",
    "moment",
    "steps_of",
    "unsaved_line",
]
