"""Find usage that is dated in the future: by mistake, or because its sender voided it by moving it out of all periods.

Clocks may differ a little; only usage more than ``USAGE_AHEAD_HOURS`` ahead is dated in the future. The native API
refuses it. Vendors' APIs accept it, as the vendors do: it stays in the ledger, counts in no period until its time
comes, and is shown until then, or until it is corrected or retracted.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db.models import F, Q

from billing.models import EventRule, Subscription
from usage.models import UsageRecord, UsageRecordQuerySet

# Maximum number of ends of lines that one query compares usage with.
MOST_BOUNDS = 100


def ahead_from(as_of: datetime) -> datetime:
    """Return the moment after which usage is dated in the future."""
    return as_of + timedelta(hours=settings.USAGE_AHEAD_HOURS)


def too_far_ahead(occurred_at: datetime, *, as_of: datetime) -> str | None:
    """Return the objection of intakes that refuse usage dated in the future; None if there is none."""
    if occurred_at <= ahead_from(as_of):
        return None
    return f"This is more than {settings.USAGE_AHEAD_HOURS} hours ahead."


def dated_ahead(*, as_of: datetime) -> UsageRecordQuerySet:
    """Return the live records that are dated in the future. Filter them by workspace, with which their index begins."""
    return UsageRecord.objects.dated_after(ahead_from(as_of))


def out_of_reach(*, subscription: Subscription, as_of: datetime) -> UsageRecordQuerySet:
    """Return a subscription's live records that count in no period, without their properties.

    These are records of its lines that are dated in the future or after the end of their line, and events of its
    customer that are dated in the future and that its bricks would count.
    """
    owner = subscription.workspace_id
    of_lines = UsageRecord.objects.live().filter(_beyond(subscription, ahead_from(as_of)), workspace=owner)
    rules = EventRule.objects.filter(workspace=owner, brick__lines__subscription=subscription, replaced_at=None)
    events = dated_ahead(as_of=as_of).filter(
        workspace=owner,
        customer=subscription.customer_id,
        event_type__in=rules.values("event_type"),
    )
    of_lines, events = (found.select_related("line").defer("properties") for found in (of_lines, events))
    return of_lines.union(events, all=True)


def _beyond(subscription: Subscription, ahead: datetime) -> Q:
    # Bounds are constants, each with the lines that have it: PostgreSQL can't estimate a bound from a joined row.
    lines: dict[datetime, list[int]] = defaultdict(list)
    for line_id, ends_at in subscription.lines.values_list("pk", "ends_at"):
        lines[min(ends_at or ahead, ahead)].append(line_id)
    beyond = Q(line__in=lines.pop(ahead, []), occurred_at__gte=ahead)
    ends = sorted(lines)
    # The number of conditions is limited, so adjacent ends share the first of them as their bound.
    together = ceil(len(ends) / MOST_BOUNDS) or 1
    for start in range(0, len(ends), together):
        near = ends[start : start + together]
        found = Q(line__in=[pk for end in near for pk in lines[end]], occurred_at__gte=near[0])
        beyond |= found if len(near) == 1 else found & Q(occurred_at__gte=F("line__ends_at"))
    return beyond


def owners_dated_ahead(*, workspace_id: int, as_of: datetime) -> set[Sequence[object]]:
    """Return the owners of usage dated in the future: (line id,) or (customer id, event type)."""
    rows = dated_ahead(as_of=as_of).filter(workspace=workspace_id).order_by()
    found = rows.values_list("line_id", "customer_id", "event_type").distinct()
    return {(line_id,) if line_id is not None else (whose, event_type) for line_id, whose, event_type in found}
