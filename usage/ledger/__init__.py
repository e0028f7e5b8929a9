"""The only writer of ``UsageRecord``: record, correct, retract; for events: report, correct, retract, match.

A record gets its ledger id while its transaction holds a lock on the line, or on the event's customer, that conflicts
with closing's lock. So while closing holds its lock on a line (and on the customer, if the line counts events), all
records of the line with an id up to the ledger's last one are committed and visible, and all later ones get greater
ids: this last id is the line's cutoff.

Other packages import only from here. Inside, ``lines``, ``events`` and ``batch`` have interfaces of their own.
"""

from usage.ledger.batch import record_many
from usage.ledger.counts import count_usages, usages_of_lines
from usage.ledger.cutoff import last_id, objection_to_ending
from usage.ledger.events import (
    being_matched,
    correct_event,
    find_customers,
    match_waiting,
    report_event,
    retract_event,
    stalled_matchings,
    work_on_matching,
)
from usage.ledger.lateness import is_late
from usage.ledger.lines import correct, hold_lines, record, retract
from usage.ledger.names import parse_line_number
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
    "find_customers",
    "hold_lines",
    "is_late",
    "last_id",
    "match_waiting",
    "objection_to_ending",
    "parse_line_number",
    "record",
    "record_many",
    "report_event",
    "retract",
    "retract_event",
    "stalled_matchings",
    "usages_of_lines",
    "work_on_matching",
]
