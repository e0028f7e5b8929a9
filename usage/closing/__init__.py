"""Closing: finds what is due, locks it, has it measured and rated, and hands the drafts to invoicing.

A run is a row with one item per subscription. Any number of workers work on a run at once: each takes a batch of
pending items that no other holds, and closes it in one transaction. A worker that dies leaves its batch pending, and
the sweep finds the run by its heartbeat.
"""

from usage.closing.preview import Preview, preview
from usage.closing.runs import NothingToClose, close_due, stalled, start
from usage.closing.work import work

__all__ = ["NothingToClose", "Preview", "close_due", "preview", "stalled", "start", "work"]
