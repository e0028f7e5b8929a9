"""Chains of records that supersede each other: the record that counts, and the ids that refer to a record.

Each rule is defined once here: on values, as a condition for query sets, and as SQL for the alias of a record.

A record is *live* as of a cutoff, which is a ledger id, if it is not a retraction, existed by then, and was not
superseded by then. It is live now if it is not a retraction and not superseded.

Senders identify all records of a chain by the id of the first, its *handle*.
"""

from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

_RETRACTION = "retraction"


def is_live(*, kind: str, superseded_by: int | None) -> bool:
    """Tell whether a record of this kind, superseded by the record with this id, is live now."""
    return superseded_by is None and kind != _RETRACTION


def live() -> Q:
    """Return the condition that a record is live now."""
    return Q(superseded_by=None) & ~Q(kind=_RETRACTION)


def live_as_of(cutoff: Any) -> Q:
    """Return the condition that a record was live as of a cutoff: an id, or an expression of one."""
    return Q(id__lte=cutoff) & ~Q(kind=_RETRACTION) & (Q(superseded_by=None) | Q(superseded_by__gt=cutoff))


# The same for the record ``r``, as of the column ``cutoff`` of a ``window``.
LIVE = f"""r.kind <> '{_RETRACTION}' AND r.id <= {{window}}.cutoff
    AND (r.superseded_by_id IS NULL OR r.superseded_by_id > {{window}}.cutoff)"""


HANDLE = Coalesce("origin_id", "id")


def handle_of(record: str) -> str:
    """Return the SQL of a record's handle."""
    return f"COALESCE({record}.origin_id, {record}.id)"


def in_chain(record_id: Any) -> Q:
    """Return the condition that a record has this id or handle, for ids that may be of any record."""
    return Q(pk=record_id) | Q(origin=record_id)


def known_as(handle: Any, lookup: str = "exact") -> Q:
    """Return the condition that a record's handle is this value or, by another lookup such as ``in``, one of these."""
    return Q(**{f"pk__{lookup}": handle}, origin=None) | Q(**{f"origin__{lookup}": handle})
