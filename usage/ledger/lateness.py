"""Decide whether usage is late, which means that it affects a closed period: one rule for lines and events.

``is_late`` decides on values. ``late`` is the same rule in SQL, for statements that insert under the lock that they
take: only under the lock the state of closing is certain.
"""

from datetime import datetime


def is_late(*moments: datetime, open_from_at: datetime | None) -> bool:
    """Tell whether usage at a moment, or a change from one moment to another, is before the first open period.

    ``open_from_at``: where that begins, for a line or for a customer's events; None if no period was closed.
    """
    return open_from_at is not None and min(moments) < open_from_at


def late(*, moment: str, open_from_at: str) -> str:
    """Return the SQL of ``is_late`` for the SQL of one moment; never NULL, whatever ``open_from_at`` is."""
    return f"COALESCE({moment} < {open_from_at}, FALSE)"
