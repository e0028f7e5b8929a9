"""How many usages the lines of a workspace have, without counting a ledger from its beginning.

A usage is an entry that was not retracted, whatever has superseded it: so what the records up to some id add up to
never changes once all of them are there. That is kept per workspace, and the records after it are counted each time.
"""

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.models import Workspace
from billing.storage import timeouts
from usage.ledger.cutoff import last_id
from usage.models import UsageCount, UsageRecord

# How many ledger ids are counted in one transaction.
STEP = 1_000_000

_USAGES = Count("pk", filter=Q(kind=UsageRecord.Kind.ENTRY)) - Count("pk", filter=Q(kind=UsageRecord.Kind.RETRACTION))


def usages_of_lines(*, workspace: Workspace) -> int:
    """Return how many live records of lines a workspace has: exact, with two queries."""
    # The mark and the count up to it with one statement: they belong together.
    kept = UsageCount.objects.filter(workspace=workspace).values_list("record_id", "usages").first()
    upto, usages = kept or (0, 0)
    rest = _records(workspace.pk, after=upto).aggregate(usages=_USAGES)
    return usages + int(rest["usages"])


def count_usages() -> None:
    """Count on in each workspace, up to where all is certain to be there.

    May run any number of times and in any number of processes. A record has its id before it can be seen. So the last
    id that was drawn is read first, and then which transactions run. Once none of them does any more, every record up
    to that id is committed, or will never be.
    """
    for workspace_id, newest in _behind():
        while _count_on(workspace_id, newest):
            pass


def _behind() -> list[tuple[int, int]]:
    """Return the workspaces whose newest record is not counted yet, each with that record."""
    newest = UsageRecord.objects.filter(workspace=OuterRef("pk")).order_by("-id").values("id")[:1]
    counted = UsageCount.objects.filter(workspace=OuterRef("pk")).values("record_id")
    found = Workspace.objects.annotate(newest=Subquery(newest)).alias(counted=Coalesce(Subquery(counted), 0))
    return list(found.filter(newest__gt=F("counted")).order_by("pk").values_list("pk", "newest"))


@transaction.atomic
def _count_on(workspace_id: int, newest: int) -> bool:
    """Take a step; tell whether there is one more to take on the way to the newest record."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    UsageCount.objects.get_or_create(workspace_id=workspace_id)
    mark = UsageCount.objects.select_for_update(skip_locked=True).filter(workspace_id=workspace_id).first()
    if mark is None or (mark.next_id is None and not _look_ahead(mark)):
        return False
    if mark.beside and not _running().isdisjoint(mark.beside):
        return False
    assert mark.next_id is not None
    # A step is of so many records, not ids: these may have leapt.
    ids = UsageRecord.objects.filter(workspace_id=workspace_id, id__gt=mark.record_id, id__lte=mark.next_id)
    upto = ids.order_by("id").values_list("id", flat=True)[STEP - 1 : STEP].first() or mark.next_id
    found = _records(workspace_id, after=mark.record_id).filter(id__lte=upto).aggregate(usages=_USAGES)
    mark.usages += int(found["usages"])
    is_there = upto == mark.next_id
    mark.record_id = upto
    mark.next_id, mark.beside = (None, []) if is_there else (mark.next_id, [])
    mark.save()
    # Where an earlier call looked ahead to may lie before the newest record.
    return mark.record_id < newest


def _look_ahead(mark: UsageCount) -> bool:
    """Note where counting will get to, and beside whom; tell whether there is anything to count."""
    drawn = _last_drawn(mark.workspace_id)
    if drawn <= mark.record_id:
        return False
    mark.next_id, mark.beside = drawn, sorted(_running())
    mark.save()
    return True


def _last_drawn(workspace_id: int) -> int:
    """Return the last id that any workspace's record has drawn; where writers are serial, the workspace's own."""
    if connection.vendor != "postgresql":
        return last_id(workspace_id=workspace_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", [UsageRecord._meta.db_table]
        )
        return cursor.fetchone()[0] or 0


# Virtual ids: an event under an unknown name draws its id before its transaction has another one. A vacuum writes no
# records, and may take long.
_RUNNING = """
SELECT lock.virtualtransaction FROM pg_locks AS lock LEFT JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'virtualxid' AND lock.pid <> pg_backend_pid()
    AND (session.datname IS NULL OR session.datname = current_database())
    AND session.backend_type IS DISTINCT FROM 'autovacuum worker'
"""


def _running() -> set[str]:
    """Return the transactions of others that run: none on SQLite, where writers are serial."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        return {transaction_id for (transaction_id,) in cursor.fetchall()}


def _records(workspace_id: int, *, after: int) -> QuerySet[UsageRecord]:
    return UsageRecord.objects.filter(workspace_id=workspace_id, line__isnull=False, id__gt=after)
