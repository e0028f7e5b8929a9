"""The tables of usage: the ledger, the jobs that work on it, and stored replies."""

from usage.models.jobs import Matching, ScheduleTurn, UsageCount
from usage.models.records import UsageRecord, UsageRecordQuerySet
from usage.models.replies import StoredReply

__all__ = [
    "Matching",
    "ScheduleTurn",
    "StoredReply",
    "UsageCount",
    "UsageRecord",
    "UsageRecordQuerySet",
]
