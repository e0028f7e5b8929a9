"""Lines of one brick that follow each other in a subscription.

The next line counts the day on which both meet, and carries a gauge's value on. Lines of a brick never overlap, so the
next one starts at the former's end or later. Voided lines have no days and neither follow nor are followed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from uuid import UUID

from django.db.models import Min, OuterRef, QuerySet, Subquery

from billing.models import Line
from billing.storage.rows import is_among


def followed_at(lines: Iterable[Line]) -> dict[int, datetime]:
    """Return the start of the next line of the brick, per line that has one, of all lines of a subscription."""
    of_brick: dict[UUID, list[Line]] = defaultdict(list)
    for line in lines:
        if not line.is_voided:
            of_brick[line.brick_id].append(line)
    return {
        former.pk: later.starts_at
        for several in of_brick.values()
        if len(several) > 1
        for former, later in pairwise(sorted(several, key=attrgetter("starts_at")))
    }


def stored_followed_at(line_ids: Collection[int], *, workspace_id: int) -> dict[int, datetime | None]:
    """Return the start of the next line of the brick, or None, for lines of a workspace that end; one query."""
    if not line_ids:
        return {}
    first = Subquery(following().order_by().values("brick").annotate(first=Min("starts_at")).values("first"))
    lines = Line.objects.filter(is_among("billing_line.id", sorted(line_ids)), workspace_id=workspace_id)
    return dict(lines.annotate(followed_at=first).values_list("pk", "followed_at"))


def following() -> QuerySet[Line]:
    """Return the lines that follow the line of an outer query, which ends."""
    of_brick = {name: OuterRef(name) for name in ("workspace", "subscription", "brick")}
    return Line.objects.not_voided().filter(**of_brick, starts_at__gte=OuterRef("ends_at"))


def former_line(line: Line) -> Line | None:
    """Return the line that a line follows, with its brick; None if there is none."""
    of_brick = Line.objects.filter(
        workspace_id=line.workspace_id, subscription_id=line.subscription_id, brick_id=line.brick_id
    )
    earlier = of_brick.not_voided().filter(starts_at__lt=line.starts_at).select_related("brick")
    return earlier.order_by("-starts_at").first()
