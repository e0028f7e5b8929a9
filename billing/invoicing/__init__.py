"""The only writer of invoices: drafts, numbers at issue, discards, and what was billed before.

A draft consists of rows. An issued invoice also has a document (``billing.documents``), which never changes.
"""

from billing.invoicing.billed import Billed, Told, billed_before, billed_by_earlier, billed_rules, last_told
from billing.invoicing.discarding import UnableToDiscard, discard
from billing.invoicing.drafts import DraftInvoice, DraftLine, write_drafts
from billing.invoicing.issuing import NUMBER_PREFIXES, UnableToIssue, approve, issue_next
from billing.invoicing.pointers import move_event_pointers, move_pointers

__all__ = [
    "NUMBER_PREFIXES",
    "Billed",
    "DraftInvoice",
    "DraftLine",
    "Told",
    "UnableToDiscard",
    "UnableToIssue",
    "approve",
    "billed_before",
    "billed_by_earlier",
    "billed_rules",
    "discard",
    "issue_next",
    "last_told",
    "move_event_pointers",
    "move_pointers",
    "write_drafts",
]
