"""The only writer of ``UsageRecord``: record, correct, retract.

A record draws its ledger id while it holds a lock on its line that closing's lock excludes. Whoever holds closing's
lock on a line therefore knows that every record of the line with an id up to the ledger's last one is committed and
visible, and that every later one will have a greater id: that number is the line's cutoff.
"""

from usage.ledger.changes import correct, retract
from usage.ledger.entries import insert_entry, record
from usage.ledger.errors import (
    DuplicateKey,
    LineNotFound,
    LineNotMetered,
    OutsideLine,
    PropertiesRefused,
    QuantityRefused,
    RecordNotFound,
    UnableToRecord,
)
from usage.ledger.reading import last_id, objection_to_ending
from usage.ledger.values import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT, Recorded, exact_quantity

__all__ = [
    "DIGITS_AFTER_POINT",
    "DIGITS_BEFORE_POINT",
    "DuplicateKey",
    "LineNotFound",
    "LineNotMetered",
    "OutsideLine",
    "PropertiesRefused",
    "QuantityRefused",
    "RecordNotFound",
    "Recorded",
    "UnableToRecord",
    "correct",
    "exact_quantity",
    "insert_entry",
    "last_id",
    "objection_to_ending",
    "record",
    "retract",
]
