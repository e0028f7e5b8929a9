"""Locks that writers of the ledger hold while they generate ids, so that closing reads an exact cutoff.

Locks are taken in one order to avoid deadlocks: lines by id, customers by id, names. A customer's lock is shared among
intakes and conflicts with closing's; it is not a key lock, since new invoices refer to customers while another worker
closes other subscriptions of them.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import connection, transaction

from billing.storage import rows
from usage.models import UsageRecord

ATTEMPTS = 100

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Overtaken(Exception):
    """Another writer changed what was read before the locks were held: read it again and start over."""


def retry_when_overtaken(write: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function in a transaction; on ``Overtaken``, release its locks and run it again, up to ``ATTEMPTS`` times.

    Raises ``RuntimeError`` after that.
    """

    @wraps(write)
    def until_done(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        for _ in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return write(*args, **options)
            except Overtaken:
                continue
        raise RuntimeError("Concurrent writers came first too often.")

    return until_done


def lock_events(*events: UsageRecord) -> datetime | None:
    """Lock the customers of events against closing, and the names of events without a customer against being assigned.

    All are of one workspace; the locks last until commit. Return the moment up to which periods of any of the customers
    are closed, None if none is.
    """
    workspace_id = events[0].workspace_id
    customer_ids = {event.customer_id for event in events if event.customer_id is not None}
    open_from = lock_customers(customer_ids, workspace_id=workspace_id) if customer_ids else {}
    if names := [str(event.customer_alias) for event in events if event.customer_id is None]:
        # All with one call, since names are locked in an order of their own.
        lock_names(workspace_id, names)
    return max((moment for moment in open_from.values() if moment is not None), default=None)


_LOCK_CUSTOMERS = """
SELECT customer.id, customer.events_open_from_at
FROM billing_customer customer WHERE customer.workspace_id = %s AND {is_wanted}
ORDER BY customer.id
{lock}
"""


def lock_customers(customer_ids: Iterable[UUID], *, workspace_id: int) -> dict[UUID | None, datetime | None]:
    """Lock customers against closing until commit; return the moment from which the periods of each are open.

    It is None if none of a customer's periods that count events was closed.
    """
    is_wanted = rows.one_of("customer.id", f"SELECT id FROM {rows.table('wanted', {'id': 'uuid'})}")
    # Not the rows' update lock, which would block intakes.
    lock = "FOR SHARE OF customer" if connection.vendor == "postgresql" else ""
    wanted = rows.parameter({"id": pk} for pk in customer_ids)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CUSTOMERS.format(is_wanted=is_wanted, lock=lock), [workspace_id, wanted])
        return {rows.read_uuid(pk): rows.read_moment(moment) for pk, moment in cursor.fetchall()}


# Many names share a lock, or a batch with thousands of names would fill the server's table of locks.
_LOCK_NAMES = """
SELECT {lock}(hashint8(%s), place)
FROM (SELECT DISTINCT hashtext(name) & 31 AS place FROM {wanted} ORDER BY place) AS places
"""


def lock_names(workspace_id: int, names: Iterable[str], *, alone: bool = False) -> None:
    """Prevent names from being assigned to a customer until commit; ``alone``: prevent events under them instead.

    So no event stays unmatched although a customer has its name. On SQLite writers are serial anyway.
    """
    if connection.vendor != "postgresql":
        return
    function = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        statement = _LOCK_NAMES.format(lock=function, wanted=rows.table("wanted", {"name": "text"}))
        cursor.execute(statement, [workspace_id, rows.parameter({"name": name} for name in names)])
