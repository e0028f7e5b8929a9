"""Events of customers: resolve names, record, correct, retract, and match with customers."""

from usage.ledger.events.changing import correct_event, retract_event
from usage.ledger.events.matching import being_matched, match_waiting, stalled_matchings, work_on_matching
from usage.ledger.events.naming import LockedNames, find_customers
from usage.ledger.events.recording import PreparedEvent, prepare, report_event

__all__ = [
    "LockedNames",
    "PreparedEvent",
    "being_matched",
    "correct_event",
    "find_customers",
    "match_waiting",
    "prepare",
    "report_event",
    "retract_event",
    "stalled_matchings",
    "work_on_matching",
]
