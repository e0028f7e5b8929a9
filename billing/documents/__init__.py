"""Documents of invoices: typed, versioned values of what was issued, and the one text that is kept of each."""

from billing.documents.invoice import FORMAT, DocumentCustomer, InvoiceDocument, Prices, UnreadableDocument
from billing.documents.lines import DocumentLine, columns_of, moment, steps_of, unsaved_line

__all__ = [
    "FORMAT",
    "DocumentCustomer",
    "DocumentLine",
    "InvoiceDocument",
    "Prices",
    "UnreadableDocument",
    "columns_of",
    "moment",
    "steps_of",
    "unsaved_line",
]
