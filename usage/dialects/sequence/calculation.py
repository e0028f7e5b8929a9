"""Calculate a metric for customers and a period."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import BooleanField, Case, F, Max, Min, OuterRef, QuerySet, Subquery, When
from django.db.models.expressions import RawSQL

from billing.models import EventRule
from usage.metering import CUTOFF_OF_NOW, EVENTS, Window, matches, measure
from usage.models import UsageRecord


@dataclass(frozen=True, slots=True)
class Calculation:
    """The exact value, the number of counted events, and the first and the last of them as received.

    ``unread_count``: the number of events that add nothing, since the property to add is not a number.
    """

    value: Decimal
    event_count: int
    unread_count: int
    first: UsageRecord | None
    last: UsageRecord | None


def calculate(
    *, rule: EventRule, customer_ids: Sequence[uuid.UUID], starts_at: datetime, ends_at: datetime
) -> Calculation:
    """Return the metric of the customers' events in ``[starts_at, ends_at)``, measured per customer as in billing.

    Distinct values are therefore counted for each customer separately.
    """
    windows = [
        Window(
            workspace_id=rule.workspace_id,
            aggregation=EVENTS.name,
            line_id=None,
            starts_at=starts_at,
            ends_at=ends_at,
            cutoff=CUTOFF_OF_NOW,
            customer_id=whose,
            rule=rule,
        )
        for whose in customer_ids
    ]
    measured = measure(windows)
    counted = _counted(rule, customer_ids).filter(occurred_at__gte=starts_at, occurred_at__lt=ends_at)
    first, last = _edges(counted, rule.workspace_id)
    return Calculation(
        value=rule.counting.combine([each.quantity for each in measured]),
        event_count=sum(each.record_count for each in measured),
        unread_count=sum(each.unread.count for each in measured),
        first=first,
        last=last,
    )


def _counted(rule: EventRule, customer_ids: Sequence[uuid.UUID]) -> QuerySet[UsageRecord]:
    condition, parameters = matches(rule, UsageRecord._meta.db_table)
    is_counted = RawSQL(condition, parameters, output_field=BooleanField())
    live = UsageRecord.objects.live().filter(workspace_id=rule.workspace_id)
    return live.filter(is_counted, customer__in=customer_ids)


def _edges(counted: QuerySet[UsageRecord], workspace_id: int) -> tuple[UsageRecord | None, UsageRecord | None]:
    # An event that was matched later is counted by a further record, whose id its sender does not know.
    records = UsageRecord.objects.filter(workspace_id=workspace_id)
    waited = records.filter(superseded_by=OuterRef("pk"))
    received = Case(When(kind=UsageRecord.Kind.MATCH, then=Subquery(waited.values("pk")[:1])), default=F("pk"))
    edges = counted.aggregate(first=Min(received), last=Max(received))
    found = records.only("id", "recorded_at").in_bulk(set(edges.values()) - {None})
    return found.get(edges["first"]), found.get(edges["last"])
