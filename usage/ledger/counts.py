"""Count the usages of a workspace's lines without counting the whole ledger each time.

A usage is an entry that was not retracted, even if it was superseded. So the count of the records up to some id never
changes once all of them are committed: it is stored per workspace, and only the records after that id are counted.
"""

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.models import Workspace
from billing.storage import timeouts
from usage.ledger.cutoff import last_id
from usage.models import UsageCount, UsageRecord

# The number of records counted per transaction.
STEP = 1_000_000

_USAGES = Count("pk", filter=Q(kind=UsageRecord.Kind.ENTRY)) - Count("pk", filter=Q(kind=UsageRecord.Kind.RETRACTION))


def usages_of_lines(*, workspace: Workspace) -> int:
    """Return the exact number of live records of a workspace's lines, with two queries."""
    # Read both with one statement, since the count is that up to the id.
    kept = UsageCount.objects.filter(workspace=workspace).values_list("record_id", "usages").first()
    upto, usages = kept or (0, 0)
    rest = _records(workspace.pk, after=upto).aggregate(usages=_USAGES)
    return usages + int(rest["usages"])


def count_usages() -> None:
    """Advance the stored count of each workspace, up to an id below which no further record can appear.

    May run any number of times and in any number of processes. Ids are generated before records become visible. So the
    last generated id is read first, then the running transactions. Once all of these have ended, every record up to
    that id is committed or never will be.
    """
    for workspace_id, newest in _behind():
        while _count_on(workspace_id, newest):
            pass


def _behind() -> list[tuple[int, int]]:
    """Return the workspaces whose newest record is not counted yet, with the id of that record."""
    newest = UsageRecord.objects.filter(workspace=OuterRef("pk")).order_by("-id").values("id")[:1]
    counted = UsageCount.objects.filter(workspace=OuterRef("pk")).values("record_id")
    found = Workspace.objects.annotate(newest=Subquery(newest)).alias(counted=Coalesce(Subquery(counted), 0))
    return list(found.filter(newest__gt=F("counted")).order_by("pk").values_list("pk", "newest"))


@transaction.atomic
def _count_on(workspace_id: int, newest: int) -> bool:
    """Advance the count by one step; return whether another step is needed to reach the newest record."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    UsageCount.objects.get_or_create(workspace_id=workspace_id)
    mark = UsageCount.objects.select_for_update(skip_locked=True).filter(workspace_id=workspace_id).first()
    if mark is None or (mark.next_id is None and not _look_ahead(mark)):
        return False
    if mark.beside and not _running().isdisjoint(mark.beside):
        return False
    assert mark.next_id is not None
    # A step is a number of records, since ids may have gaps.
    ids = UsageRecord.objects.filter(workspace_id=workspace_id, id__gt=mark.record_id, id__lte=mark.next_id)
    upto = ids.order_by("id").values_list("id", flat=True)[STEP - 1 : STEP].first() or mark.next_id
    found = _records(workspace_id, after=mark.record_id).filter(id__lte=upto).aggregate(usages=_USAGES)
    mark.usages += int(found["usages"])
    mark.next_id, mark.beside = None if upto == mark.next_id else mark.next_id, []
    mark.record_id = upto
    mark.save()
    # The id that an earlier call noted may be before the newest record.
    return mark.record_id < newest


def _look_ahead(mark: UsageCount) -> bool:
    """Store the id to count up to and the transactions to wait for; return whether there is anything to count."""
    drawn = _last_drawn(mark.workspace_id)
    if drawn <= mark.record_id:
        return False
    mark.next_id, mark.beside = drawn, sorted(_running())
    mark.save()
    return True


def _last_drawn(workspace_id: int) -> int:
    """Return the last id generated in any workspace; on SQLite, where writers are serial, in this workspace."""
    if connection.vendor != "postgresql":
        return last_id(workspace_id=workspace_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [UsageRecord._meta.db_table]
        )
        return cursor.fetchone()[0] or 0


# By virtual transaction ids: an event under an unknown name gets its ledger id before its transaction has an id.
# Vacuums are ignored: they write no records, and may take long.
_RUNNING = """
SELECT lock.virtualtransaction FROM pg_locks AS lock LEFT JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'virtualxid' AND lock.pid <> pg_backend_pid()
    AND (session.datname IS NULL OR session.datname = current_database())
    AND session.backend_type IS DISTINCT FROM 'autovacuum worker'
"""


def _running() -> set[str]:
    """Return the running transactions of other sessions; none on SQLite, where writers are serial."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        return {transaction_id for (transaction_id,) in cursor.fetchall()}


def _records(workspace_id: int, *, after: int) -> QuerySet[UsageRecord]:
    return UsageRecord.objects.filter(workspace_id=workspace_id, line__isnull=False, id__gt=after)
