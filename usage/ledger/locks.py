"""What a writer of the ledger holds while it draws ids, and the ids.

Locks are taken in one order, or writers would wait for each other for ever: lines, customers by id, names. A customer's
is shared among intakes and excluded by closing's; it is no key lock, since invoices in the making refer to customers of
which another worker is closing other subscriptions.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import connection, transaction

from billing.models import Customer
from usage.models import UsageRecord

ATTEMPTS = 100

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Moved(Exception):
    """What was read before the locks were held has changed since: another writer came first."""


def settled(write: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function in a transaction, and begin again without its locks as often as another writer came first."""

    @wraps(write)
    def until_settled(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        for _ in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return write(*args, **options)
            except Moved:
                continue
        raise RuntimeError("Other writers came first too often.")

    return until_settled


def lock_events(*events: UsageRecord) -> datetime | None:
    """Keep closing from the events' customers until commit, and from the names of unmatched ones that they be given.

    Return the moment before which an event is late for one of the customers; None where for none.
    """
    workspace_id = events[0].workspace_id
    opened = lock_customers([event.customer_id for event in events], workspace_id=workspace_id)
    if names := [str(event.customer_alias) for event in events if event.customer_id is None]:
        # All at once: names are locked in an order of their own.
        lock_names(workspace_id, names)
    return max(opened, default=None)


def lock_customers(customer_ids: Iterable[UUID | None], *, workspace_id: int) -> list[datetime]:
    """Keep closing from customers until commit; return from when on their periods are open, where any was closed."""
    wanted = {pk for pk in customer_ids if pk is not None}
    if not wanted:
        return []
    if connection.vendor == "postgresql":
        # Not by the rows' update lock, which intakes would wait for.
        statement = "SELECT id FROM billing_customer WHERE workspace_id = %s AND id = ANY(%s) ORDER BY id FOR SHARE"
        with connection.cursor() as cursor:
            cursor.execute(statement, [workspace_id, list(wanted)])
    opened = Customer.objects.filter(workspace_id=workspace_id, pk__in=wanted).values_list(
        "events_open_from_at", flat=True
    )
    return [moment for moment in opened if moment is not None]


# A lock for many names, or a batch with thousands of them would fill the server's table of locks.
_LOCK_NAMES = """
SELECT {lock}(hashint8(%s), place)
FROM (SELECT DISTINCT hashtext(name) & 31 AS place FROM unnest(%s::text[]) AS name ORDER BY place) AS places
"""


def lock_names(workspace_id: int, names: Iterable[str], *, alone: bool = False) -> None:
    """Keep names from being given to a customer until commit; ``alone``: keep events under them from being written.

    So no event is left without a customer beside a customer of that name. On SQLite writers are serial anyway.
    """
    if connection.vendor != "postgresql":
        return
    function = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_NAMES.format(lock=function), [workspace_id, list(names)])


def next_ids(count: int) -> list[int]:
    """Draw the next ledger ids, in order; the caller holds locks that closing's exclude."""
    table = UsageRecord._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval((SELECT pg_get_serial_sequence(%s, 'id')::regclass)) FROM generate_series(1, %s)",
                [table, count],
            )
            return [int(pk) for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
        return list(range(last + 1, last + 1 + count))


def next_id() -> int:
    """Draw the next ledger id."""
    return next_ids(1)[0]


def as_uuid(value: Any) -> UUID | None:
    """Return an id as Python has it, which SQLite keeps as its digits."""
    return value if value is None or isinstance(value, UUID) else UUID(value)
