"""Closing: finds what is due, locks it, has it measured and rated, and hands the drafts to invoicing.

A run is a row with one item per subscription. Any number of workers work on a run at once: each takes a batch of
pending items that no other holds, and closes it in one transaction. A worker that dies leaves its batch pending, and
the sweep finds the run by its heartbeat.
"""

from usage.closing.notices import Notice, told_in
from usage.closing.now import Closed, close_by_workers, close_now, parked_in
from usage.closing.preview import Preview, preview
from usage.closing.runs import NothingToClose, at_work, close_due, left_to, stalled, start, still_parked
from usage.closing.unread import MissingProperty, missing_properties, surprising_lines
from usage.closing.work import work

__all__ = [
    "Closed",
    "MissingProperty",
    "Notice",
    "NothingToClose",
    "Preview",
    "at_work",
    "close_by_workers",
    "close_due",
    "close_now",
    "left_to",
    "missing_properties",
    "parked_in",
    "preview",
    "stalled",
    "start",
    "still_parked",
    "surprising_lines",
    "told_in",
    "work",
]
