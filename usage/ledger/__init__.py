"""The only writer of ``UsageRecord``: record, correct, retract; for events: report, correct, retract, match.

A record draws its ledger id while it holds a lock on its line, an event on its customer, that closing's lock excludes.
Whoever holds closing's lock on a line (and on the customer, where it counts events) therefore knows that every record
of the line with an id up to the ledger's last one is committed and visible, and that every later one will have a
greater id: that number is the line's cutoff.
"""

from usage.ledger.batch.recording import record_many
from usage.ledger.counts import count_usages, usages_of_lines
from usage.ledger.cutoff import last_id, objection_to_ending
from usage.ledger.events.changing import correct_event, retract_event
from usage.ledger.events.matching import being_matched, match_waiting, stalled_matchings, work_on_matching
from usage.ledger.events.recording import insert_event, report_event
from usage.ledger.lines.changing import correct, retract
from usage.ledger.lines.recording import hold_lines, record
from usage.ledger.refusals import (
    DuplicateKey,
    LimitReached,
    LineNotFound,
    LineNotMetered,
    OutsideLine,
    PropertiesRefused,
    QuantityRefused,
    RecordNotFound,
    TextRefused,
    UnableToRecord,
)
from usage.ledger.values import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT, Recorded, RecordedEvent, exact_quantity

__all__ = [
    "DIGITS_AFTER_POINT",
    "DIGITS_BEFORE_POINT",
    "DuplicateKey",
    "LimitReached",
    "LineNotFound",
    "LineNotMetered",
    "OutsideLine",
    "PropertiesRefused",
    "QuantityRefused",
    "RecordNotFound",
    "Recorded",
    "RecordedEvent",
    "TextRefused",
    "UnableToRecord",
    "being_matched",
    "correct",
    "correct_event",
    "count_usages",
    "exact_quantity",
    "hold_lines",
    "insert_event",
    "last_id",
    "match_waiting",
    "objection_to_ending",
    "record",
    "record_many",
    "report_event",
    "retract",
    "retract_event",
    "stalled_matchings",
    "usages_of_lines",
    "work_on_matching",
]
