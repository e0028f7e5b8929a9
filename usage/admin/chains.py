"""Chains of usage records, in which each record supersedes the previous one."""

from datetime import datetime

from django.db.models import QuerySet

from billing.parties import NOBODY
from usage.models import UsageRecord


def chain_of(record: UsageRecord) -> QuerySet[UsageRecord]:
    """Return all records of a record's chain."""
    return UsageRecord.objects.called(record.handle).filter(workspace_id=record.workspace_id)


def newest_of(record: UsageRecord) -> UsageRecord:
    """Return the last record of a record's chain."""
    return chain_of(record).select_related("workspace").defer("properties").order_by("-id")[0]


def open_from(record: UsageRecord) -> datetime | None:
    """Return the moment from which a change of the record falls in no closed period; None if none was closed."""
    if record.line:
        return record.line.open_from_at
    return record.customer.events_open_from_at if record.customer else None


def state_of(record: UsageRecord) -> str:
    """Return the state of a record as a short text, such as “counts, late”."""
    if record.kind == UsageRecord.Kind.RETRACTION:
        return "retraction"
    if record.superseded_by is not None:
        return "retracted" if record.superseded_by.kind == UsageRecord.Kind.RETRACTION else "superseded"
    if record.line_id is None and record.customer_id is None:
        return "void" if record.customer_alias == NOBODY else "unmatched"
    return "counts, late" if record.is_late else "counts"
