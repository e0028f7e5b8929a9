"""How many usages the lines of a workspace have, without counting a ledger from its beginning.

A usage is an entry that was not retracted, whatever has superseded it: so what the records up to some id add up to
never changes once all of them are there. That is kept per workspace, and the records after it are counted each time.
"""

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet, Subquery

from billing import timeouts
from billing.models import Workspace
from usage.ledger.reading import last_id
from usage.models import CountedUpTo, UsageCount, UsageRecord

# How many ledger ids are counted in one transaction.
STEP = 1_000_000

_USAGES = Count("pk", filter=Q(kind=UsageRecord.Kind.ENTRY)) - Count("pk", filter=Q(kind=UsageRecord.Kind.RETRACTION))


def usages_of_lines(*, workspace: Workspace) -> int:
    """Return how many live records of lines a workspace has: exact, with two queries."""
    # The row and the count up to it with one statement: they belong together.
    of_workspace = Subquery(UsageCount.objects.filter(workspace=workspace).values("usages"))
    kept = CountedUpTo.objects.annotate(usages=of_workspace).values_list("record_id", "usages").first()
    upto, usages = kept or (0, None)
    rest = _records(after=upto).filter(workspace=workspace).aggregate(usages=_USAGES)
    return (usages or 0) + int(rest["usages"])


def count_usages() -> None:
    """Count on, up to where all is certain to be there. May run any number of times and in any number of processes.

    A record has its id before it can be seen. So the last id that was drawn is read first, and then which transactions
    run. Once none of them does any more, every record up to that id is committed, or will never be.
    """
    while _count_on():
        pass


@transaction.atomic
def _count_on() -> bool:
    """Take a step; tell whether there is one more to take."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    CountedUpTo.objects.get_or_create(pk=1)
    mark = CountedUpTo.objects.select_for_update(skip_locked=True).first()
    if mark is None or (mark.next_id is None and not _look_ahead(mark)):
        return False
    if mark.beside and not _running().isdisjoint(mark.beside):
        return False
    assert mark.next_id is not None
    # A step is of so many records, not ids: these may have leapt.
    ids = UsageRecord.objects.filter(id__gt=mark.record_id, id__lte=mark.next_id).order_by("id")
    upto = ids.values_list("id", flat=True)[STEP - 1 : STEP].first() or mark.next_id
    found = _records(after=mark.record_id).filter(id__lte=upto).values("workspace").annotate(usages=_USAGES)
    _add(dict(found.order_by().values_list("workspace", "usages")))
    is_there = upto == mark.next_id
    mark.record_id = upto
    mark.next_id, mark.beside = (None, []) if is_there else (mark.next_id, [])
    mark.save()
    return not is_there


def _look_ahead(mark: CountedUpTo) -> bool:
    """Note where counting will get to, and beside whom; tell whether there is anything to count."""
    drawn = _last_drawn()
    if drawn <= mark.record_id:
        return False
    mark.next_id, mark.beside = drawn, sorted(_running())
    mark.save()
    return True


def _last_drawn() -> int:
    if connection.vendor != "postgresql":
        return last_id()
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


def _records(*, after: int) -> QuerySet[UsageRecord]:
    return UsageRecord.objects.filter(line__isnull=False, id__gt=after)


def _add(usages: dict[int, int]) -> None:
    UsageCount.objects.bulk_create((UsageCount(workspace_id=pk) for pk in usages), ignore_conflicts=True)
    for pk, number in usages.items():
        UsageCount.objects.filter(pk=pk).update(usages=F("usages") + number)
