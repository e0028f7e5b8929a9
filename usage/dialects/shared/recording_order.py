"""When usages were first recorded, and lists of a whole workspace in the order of that, or of their ids.

No index has these orders. But they are those of the ledger's ids, nearly: what a page shows lies near the end of the
ledger at which its order begins, and how near is found out before it is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from billing.models import Workspace
from usage.dialects.shared.newest import FEW
from usage.models import UsageRecord

# Of so many corrected usages the corrections are found by their ids, which the database is given.
MOST_CORRECTED = 10_000


def first_recorded(workspace: Workspace, **bounds: datetime) -> Q:
    """Return the condition that a usage was first recorded within bounds, by their lookups: ``gte`` and ``lte``.

    The corrected ones, which are few, are read first. Compared with the moment of each correction's first record, the
    records would have to be joined with all that there are.
    """
    within = Q(**{f"recorded_at__{lookup}": moment for lookup, moment in bounds.items()}, origin=None)
    corrected = UsageRecord.objects.filter(
        within, workspace=workspace, line__isnull=False, superseded_by__isnull=False
    ).values_list("pk", flat=True)
    ids = list(corrected[: MOST_CORRECTED + 1])
    return within | Q(origin__in=ids if len(ids) <= MOST_CORRECTED else corrected)


def _recorded(workspace: Workspace, **bounds: datetime) -> Q:
    return Q(**{f"recorded_at__{lookup}": moment for lookup, moment in bounds.items()})


def _known_as(workspace: Workspace, **bounds: int) -> Q:
    first = Q(**{f"pk__{lookup}": number for lookup, number in bounds.items()}, origin=None)
    return first | Q(**{f"origin__{lookup}": number for lookup, number in bounds.items()})


@dataclass(frozen=True, slots=True)
class _Order:
    """An order that the ledger's ids nearly have: by a column of records, or by that of the first of their chain."""

    column: str
    is_of_first: bool
    within: Callable[..., Q]


# By what lists call what they are ordered by.
_ORDERS = {
    "shown_id": _Order("pk", True, _known_as),
    "created_at": _Order("recorded_at", True, first_recorded),
    "recorded_at": _Order("recorded_at", False, _recorded),
}


class AllUsages:
    """All usages of a workspace, in their order; to be sliced. Few of them are sorted."""

    def __init__(self, found: QuerySet[UsageRecord], *, workspace: Workspace, total: int) -> None:
        self.found = found
        self.workspace = workspace
        self.total = total

    def __getitem__(self, page: slice) -> list[UsageRecord]:
        near = self._near(page.stop) if page.start < page.stop and self.total > FEW else None
        rows = [] if near is None else list(self.found.filter(near)[page])
        # Fewer where some were taken back in between; what follows them may lie further away.
        return rows if len(rows) == page.stop - page.start else list(self.found[page])

    def _near(self, count: int) -> Q | None:
        """Return a condition that the first so many usages meet, and few others; None where none is known.

        However many usages lie on one side of a bound, at least so many do: then none of the first lies beyond it.
        """
        (term, *_) = map(str, self.found.query.order_by)
        order = _ORDERS.get(term.removeprefix("-"))
        if order is None:
            return None
        records = UsageRecord.objects.live().filter(workspace=self.workspace, line__isnull=False)
        if order.is_of_first:
            records = records.filter(origin=None)
        is_descending = term.startswith("-")
        nearest = records.order_by("-pk" if is_descending else "pk").values("pk", order.column)[:count]
        furthest: Any = (Min if is_descending else Max)(order.column)
        bound = nearest.aggregate(furthest=furthest, count=Count("pk"))
        if bound["count"] < count:
            return None
        return order.within(self.workspace, **{"gte" if is_descending else "lte": bound["furthest"]})
