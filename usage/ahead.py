"""Usage that is *dated in the future*: its time is a mistake, or its sender voided it by moving it out of every period.

A clock that is a little ahead makes nobody wonder; what is more than ``USAGE_AHEAD_HOURS`` ahead does. Our own API
refuses it. Vendors' APIs take it, as the vendors do: it stays in the ledger, counts in no period until its time has
come, and is shown until then, or until it is corrected or taken back.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db.models import F, Q

from billing.models import EventRule, Subscription
from usage.models import UsageRecord, UsageRecordQuerySet

# By so many ends of lines is usage looked for at once.
MOST_BOUNDS = 100


def ahead_from(as_of: datetime) -> datetime:
    """Return the moment after which usage is dated in the future."""
    return as_of + timedelta(hours=settings.USAGE_AHEAD_HOURS)


def too_far_ahead(occurred_at: datetime, *, as_of: datetime) -> str | None:
    """Say why usage of a moment is not taken by an intake that refuses the future; None where it is."""
    if occurred_at <= ahead_from(as_of):
        return None
    return f"This is more than {settings.USAGE_AHEAD_HOURS} hours ahead."


def dated_ahead(*, as_of: datetime) -> UsageRecordQuerySet:
    """Return the live records that are dated in the future. To be narrowed to workspaces, by which they are indexed."""
    return UsageRecord.objects.dated_after(ahead_from(as_of))


def out_of_reach(*, subscription: Subscription, as_of: datetime) -> UsageRecordQuerySet:
    """Return a subscription's live records that no period counts: dated in the future, or beyond the end of their line.

    Those of its lines, and the customer's events in the future that its bricks would count. Without their properties.
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
    # By constants, lines of one bound together: a bound from a joined row is one that PostgreSQL can't estimate.
    lines: dict[datetime, list[int]] = defaultdict(list)
    for line_id, ends_at in subscription.lines.values_list("pk", "ends_at"):
        lines[min(ends_at or ahead, ahead)].append(line_id)
    beyond = Q(line__in=lines.pop(ahead, []), occurred_at__gte=ahead)
    ends = sorted(lines)
    # A condition may have so many parts only, so of many ends those next to each other share the first as their bound.
    together = ceil(len(ends) / MOST_BOUNDS) or 1
    for start in range(0, len(ends), together):
        near = ends[start : start + together]
        found = Q(line__in=[pk for end in near for pk in lines[end]], occurred_at__gte=near[0])
        beyond |= found if len(near) == 1 else found & Q(occurred_at__gte=F("line__ends_at"))
    return beyond


def named_ahead(*, workspace_id: int, as_of: datetime) -> set[Sequence[object]]:
    """Return whose records of a workspace are dated in the future: (line id,), or (customer id, event type)."""
    rows = dated_ahead(as_of=as_of).filter(workspace=workspace_id).order_by()
    found = rows.values_list("line_id", "customer_id", "event_type").distinct()
    return {(line_id,) if line_id is not None else (whose, event_type) for line_id, whose, event_type in found}
