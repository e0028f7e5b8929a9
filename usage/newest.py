"""How the newest of some records are found: from the newest of all backwards, or by sorting what is asked for.

PostgreSQL takes what it looks for to be everywhere in the ledger. A few may all be at its beginning, and then it would
read all of it backwards.
"""

from typing import Any

from django.db.models import F, QuerySet, Value

# Of so many records at most, all are sorted.
FEW = 30_000
# The order of ids, newest first, but none that an index has: what is ordered by it is gathered by its filters.
GATHERED = (F("id") + Value(0)).desc()


def are_few(found: QuerySet[Any]) -> bool:
    """Tell whether records are so few that they are better ``GATHERED``; it counts no more than that."""
    return found.order_by().values("pk")[: FEW + 1].count() <= FEW
