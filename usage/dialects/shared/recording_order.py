"""List all usages of a workspace in the order of their ids or recording times, which no index has.

These orders are nearly the order of the ledger's ids, so the rows of a page are near one end of the ledger. A bound on
their distance is found first, and only the rows within it are sorted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from billing.models import Workspace
from usage.chains import known_as
from usage.models import UsageRecord
from usage.newest import FEW

# Up to this number of corrected usages, corrections are found by a list of ids; above it, by a subquery.
MOST_CORRECTED = 10_000


def first_recorded(workspace: Workspace, **bounds: datetime) -> Q:
    """Return the condition that a usage was first recorded within bounds, given by lookup: ``gte`` and ``lte``.

    Corrected usages, which are few, are loaded first. Comparing the first record of each correction would join the
    records with the whole ledger.
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
    ((lookup, number),) = bounds.items()
    return known_as(number, lookup)


@dataclass(frozen=True, slots=True)
class _Order:
    """An order that is nearly that of the ledger's ids: by a column of records, or of their chain's first record."""

    column: str
    is_of_first: bool
    within: Callable[..., Q]


# Orders by their names in lists.
_ORDERS = {
    "shown_id": _Order("pk", True, _known_as),
    "created_at": _Order("recorded_at", True, first_recorded),
    "recorded_at": _Order("recorded_at", False, _recorded),
}


class AllUsages:
    """All usages of a workspace in a query's order; slicing loads a page and sorts only rows near it."""

    def __init__(self, found: QuerySet[UsageRecord], *, workspace: Workspace, total: int) -> None:
        self.found = found
        self.workspace = workspace
        self.total = total

    def __getitem__(self, page: slice) -> list[UsageRecord]:
        near = self._near(page.stop) if page.start < page.stop and self.total > FEW else None
        rows = [] if near is None else list(self.found.filter(near)[page])
        # There are fewer if some were retracted meanwhile; the rows after them may be further away.
        return rows if len(rows) == page.stop - page.start else list(self.found[page])

    def _near(self, count: int) -> Q | None:
        """Return a condition that the first ``count`` usages meet, and few others; None if there is none.

        At least ``count`` usages are on the near side of the bound, so none of the first ``count`` is beyond it.
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
