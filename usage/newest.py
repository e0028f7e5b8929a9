"""Choose how to find the newest records of a list: by reading the ledger backwards, or by sorting all of them.

PostgreSQL expects matching records everywhere in the ledger and reads it backwards to find the newest. If only a few
match, all of them may be at its beginning, and it would read the whole ledger. Then it is better to sort these.
"""

from typing import Any

from django.db.models import F, QuerySet, Value

# Maximum number of records that are sorted.
FEW = 30_000
# By id, newest first, as an expression that no index has, so that the database filters the records and sorts them.
GATHERED = (F("id") + Value(0)).desc()


def are_few(found: QuerySet[Any]) -> bool:
    """Tell whether there are so few records that ``GATHERED`` is the better order; count at most ``FEW`` + 1."""
    return found.order_by().values("pk")[: FEW + 1].count() <= FEW
