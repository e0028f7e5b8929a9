"""Close periods: find and lock what is due, measure and rate it, and pass the drafts to ``billing.invoicing``.

A run is a row with one item per subscription. Any number of workers can work on a run at once: each takes a batch of
pending items that no other worker holds, and closes it in one transaction. A worker that dies leaves its batch pending,
and the sweep finds the run by its heartbeat. The states of runs and items are in ``billing.close_states``.
"""

from usage.closing.changed import changed_periods
from usage.closing.drafting import REFUSALS
from usage.closing.preview import Preview, draft_periods, preview
from usage.closing.run_notices import Notice, notices_of_run
from usage.closing.runs import NothingToClose, at_work, close_due, left_to, stalled, start, still_parked
from usage.closing.unattended import Closed, close_by_workers, close_now, parked_in
from usage.closing.unread import MissingProperty, missing_properties, surprising_lines
from usage.closing.work import work

__all__ = [
    "REFUSALS",
    "Closed",
    "MissingProperty",
    "Notice",
    "NothingToClose",
    "Preview",
    "at_work",
    "changed_periods",
    "close_by_workers",
    "close_due",
    "close_now",
    "draft_periods",
    "left_to",
    "missing_properties",
    "notices_of_run",
    "parked_in",
    "preview",
    "stalled",
    "start",
    "still_parked",
    "surprising_lines",
    "work",
]
