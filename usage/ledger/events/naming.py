"""Customers whom a batch of events names, locked all at once."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from billing.parties import NOBODY
from billing.storage.rows import given, one_of, rows
from usage.ledger.lines.address import as_uuid
from usage.ledger.locks import Moved, lock_names

_NAMES = {"name": "text", "customer_id": "uuid"}
_NAMED = """
SELECT given.name, COALESCE(
    (SELECT a.customer_id FROM billing_customeralias a WHERE a.workspace_id = %s AND a.value = given.name),
    (SELECT c.id FROM billing_customer c WHERE c.workspace_id = %s AND c.id = given.customer_id),
    (SELECT c.id FROM billing_customer c WHERE c.workspace_id = %s AND c.reference = given.name))
FROM {given}
"""
_LOCK = """
SELECT customer.id, customer.events_open_from_at
FROM billing_customer customer WHERE customer.workspace_id = %s AND {wanted}
ORDER BY customer.id
{lock}
"""


class LockedCustomers:
    """Whom names name, locked as a single event locks its customer: against closing, not against each other.

    Names that name nobody stay nobody's until the transaction ends. Raises ``Moved`` where one was given away before.
    """

    def __init__(self, workspace_id: int, names: Iterable[str]) -> None:
        wanted = set(names) - {NOBODY}
        self._ids = _named(workspace_id, wanted) if wanted else {}
        self._open_from = _locked(workspace_id, set(self._ids.values())) if self._ids else {}
        if waiting := wanted - self._ids.keys():
            lock_names(workspace_id, waiting)
            if _named(workspace_id, waiting):
                raise Moved

    def customer_id(self, name: str) -> UUID | None:
        return self._ids.get(name)

    def is_late(self, name: str, at: datetime) -> bool:
        """Tell whether an event of the moment changes a period of the customer's that was closed already."""
        open_from_at = self._open_from.get(self._ids.get(name))
        return open_from_at is not None and at < open_from_at


def _named(workspace_id: int, names: set[str]) -> dict[str, UUID]:
    # An id names a customer only as it is told: no second spelling does.
    ids = {name: known for name in names if (known := as_uuid(name)) is not None and str(known) == name}
    wanted = ({"name": name, "customer_id": ids[name].hex if name in ids else None} for name in names)
    with connection.cursor() as cursor:
        cursor.execute(_NAMED.format(given=given(_NAMES)), [workspace_id] * 3 + [rows(wanted)])
        return {name: _uuid(customer_id) for name, customer_id in cursor.fetchall() if customer_id is not None}


def _locked(workspace_id: int, customer_ids: set[UUID]) -> dict[UUID | None, datetime | None]:
    lock = "FOR SHARE OF customer" if connection.vendor == "postgresql" else ""
    wanted = one_of("customer.id", f"SELECT customer_id FROM {given({'customer_id': 'uuid'})}")
    statement = _LOCK.format(wanted=wanted, lock=lock)
    with connection.cursor() as cursor:
        cursor.execute(statement, [workspace_id, rows({"customer_id": pk.hex} for pk in customer_ids)])
        return {_uuid(pk): _utc(moment) for pk, moment in cursor.fetchall()}


# SQLite keeps a UUID as its digits, and a moment without its zone.
def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
