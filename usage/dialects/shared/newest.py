"""Finding the newest of the records that a list asks for: by reading the ledger backwards, or by sorting them all.

PostgreSQL expects matching records everywhere in the ledger and reads it backwards to find the newest. Where only a few
match, all of them may be at its beginning, and it would read the whole ledger. Those are sorted instead.
"""

from typing import Any

from django.db.models import F, QuerySet, Value

# Up to so many records are sorted.
FEW = 30_000
# By id, newest first, as an expression that no index has: the database finds the records by their filters and sorts.
GATHERED = (F("id") + Value(0)).desc()


def are_few(found: QuerySet[Any]) -> bool:
    """Tell whether there are so few records that ``GATHERED`` is the better order; counts no more than ``FEW`` + 1."""
    return found.order_by().values("pk")[: FEW + 1].count() <= FEW
