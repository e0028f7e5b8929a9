"""Resolve the name in an event to a customer: one rule for single events, batches and corrections.

A name is a customer's alias, else a customer's id as shown, else a customer's reference; always compared exactly.
``VOID`` (``NOBODY``) resolves to no customer.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import Customer
from billing.names import parse_uuid
from billing.parties import NOBODY
from billing.storage import rows
from usage.ledger.lateness import is_late
from usage.ledger.locks import Overtaken, lock_customers, lock_names
from usage.ledger.values import adapt

_CUSTOMER_ID = """COALESCE(
    (SELECT a.customer_id FROM billing_customeralias a WHERE a.workspace_id = %s AND a.value = {name}),
    (SELECT c.id FROM billing_customer c WHERE c.workspace_id = %s AND c.id = {customer_id}),
    (SELECT c.id FROM billing_customer c WHERE c.workspace_id = %s AND c.reference = {name}))"""
_OF_NAME = _CUSTOMER_ID.format(name="%s", customer_id="%s")
_OF_NAMES = f"SELECT wanted.name, {_CUSTOMER_ID.format(name='wanted.name', customer_id='wanted.customer_id')} FROM"
_NAMES = {"name": "text", "customer_id": "uuid"}


def customer_id_of(name: str, *, workspace_id: int) -> tuple[str, list[Any]]:
    """Return the SQL expression for the id of the customer that a name resolves to, and its parameters.

    Not for ``NOBODY``, which may be the name of a customer that is older than its reservation.
    """
    known = _id_as_told(name)
    customer_id = None if known is None else adapt("id", known, Customer)
    return _OF_NAME, [workspace_id, name, workspace_id, customer_id, workspace_id, name]


def find_customers(names: Iterable[str], *, workspace_id: int) -> dict[str, UUID]:
    """Return the ids of the customers that names resolve to now, with one statement; other names are omitted."""
    wanted = set(names) - {NOBODY}
    if not wanted:
        return {}
    sent = ({"name": name, "customer_id": _id_as_told(name)} for name in wanted)
    with connection.cursor() as cursor:
        statement = f"{_OF_NAMES} {rows.table('wanted', _NAMES)}"
        cursor.execute(statement, [workspace_id] * 3 + [rows.parameter(sent)])
        found = ((name, rows.read_uuid(customer_id)) for name, customer_id in cursor.fetchall())
        return {name: customer_id for name, customer_id in found if customer_id is not None}


def _id_as_told(name: str) -> UUID | None:
    # Other spellings of an id don't resolve to the customer.
    known = parse_uuid(name)
    return known if str(known) == name else None


class LockedNames:
    """Names and the customers that they resolve to, locked until the transaction ends, as for a single event.

    Customers are locked against closing, not against other intakes; names that resolve to no customer are locked
    against being assigned. Raises ``Overtaken`` if one was assigned before it was locked.
    """

    def __init__(self, names: Iterable[str], *, workspace_id: int) -> None:
        wanted = set(names) - {NOBODY}
        self._ids = find_customers(wanted, workspace_id=workspace_id)
        found = set(self._ids.values())
        self._open_from = lock_customers(found, workspace_id=workspace_id) if found else {}
        if waiting := wanted - self._ids.keys():
            lock_names(workspace_id, waiting)
            if find_customers(waiting, workspace_id=workspace_id):
                raise Overtaken

    def customer_id(self, name: str) -> UUID | None:
        """Return the customer that a name resolves to, None if it resolves to none."""
        return self._ids.get(name)

    def is_late(self, name: str, at: datetime) -> bool:
        """Tell whether an event under a name at this moment affects a closed period of its customer."""
        return is_late(at, open_from_at=self._open_from.get(self._ids.get(name)))
