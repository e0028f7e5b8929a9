"""Drafting: from contracts and the ledger to draft invoices, as values. Closing writes them, the preview shows them.

To be billed = rate(usage of the period, as of the cutoff) - what has been billed for that line and period. For a due
period that is its whole price; for an earlier period whose records changed, the difference, a true-up.
"""

from usage.closing.drafting.drafts import draft
from usage.closing.drafting.refusals import REFUSALS

__all__ = ["REFUSALS", "draft"]
