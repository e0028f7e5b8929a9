"""Decide whether usage is late: it changed a period that was closed already. One rule, for lines and events alike.

``is_late`` decides on values. ``late`` states the same rule as SQL, for statements that insert under the lock that they
take: only there is it certain how far closing has come.
"""

from datetime import datetime


def is_late(*moments: datetime, open_from_at: datetime | None) -> bool:
    """Tell whether usage of a moment, or a change from one moment to another, falls before the first open period.

    ``open_from_at``: where that begins, for a line or for a customer's events; None where no period was closed.
    """
    return open_from_at is not None and min(moments) < open_from_at


def late(*, moment: str, open_from_at: str) -> str:
    """Return the SQL of ``is_late`` for the SQL of one moment; never NULL, whatever ``open_from_at`` is."""
    return f"COALESCE({moment} < {open_from_at}, FALSE)"
