"""Compute draft invoices as values, from subscriptions and the ledger. Closing writes them, previews show them.

Amount = rate(usage of the period, as of the cutoff) - amount already billed for that line and period. For a due period
this is its whole price; for an earlier period whose records changed, it is the difference, a true-up.
"""

from usage.closing.drafting.drafts import draft
from usage.closing.drafting.refusals import REFUSALS

__all__ = ["REFUSALS", "draft"]
