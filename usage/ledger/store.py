"""Write records: generate ids, insert many at once, supersede records, and find the record that has a key.

A caller that generates an id must hold a lock that conflicts with closing's (see ``locks``): cutoffs depend on it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from billing.storage import rows
from billing.storage.caseless import folded_copy
from usage.chains import handle_of, in_chain
from usage.commands import Origin, RecordById, RecordByKey
from usage.ledger.lateness import is_late, late
from usage.ledger.locks import Overtaken
from usage.ledger.refusals import DuplicateKey
from usage.ledger.values import adapt
from usage.models import UsageRecord

# There is one live record per key; the second insert has no effect.
UNLESS_KEY_IS_TAKEN = (
    "ON CONFLICT (workspace_id, dialect, key) WHERE key IS NOT NULL AND superseded_by_id IS NULL DO NOTHING"
)


def next_ids(count: int) -> list[int]:
    """Generate the next ledger ids, in order."""
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


# The columns of entries that are inserted together; workspace and time of receipt are the same for all.
_COLUMNS = {
    "id": "bigint",
    "line_id": "bigint",
    "quantity": "numeric",
    "customer_id": "uuid",
    "customer_alias": "text",
    "event_type": "text",
    "occurred_at": "timestamptz",
    "is_late": "boolean",
    "source": "text",
    "dialect": "text",
    "key": "text",
    "recorded_by": "text",
    "note": "text",
    "properties": "text",
    "folded": "text",
}
_JSON = ("properties", "folded")
_INSERT = f"""
INSERT INTO usage_usagerecord (workspace_id, recorded_at, kind, {", ".join(_COLUMNS)})
SELECT %s, %s, 'entry', {", ".join(f"{name}{{as_json}}" if name in _JSON else name for name in _COLUMNS)}
FROM {{entries}}
WHERE true
{UNLESS_KEY_IS_TAKEN}
RETURNING id
"""


def insert_entries(entries: Iterable[Mapping[str, Any]], *, workspace_id: int, recorded_at: datetime) -> set[int]:
    """Insert entries of a workspace, each a row of columns as JSON values; return the ids of the inserted ones.

    Entries whose key is in use, by a live record or an earlier entry, are skipped.
    """
    as_json = "::jsonb" if connection.vendor == "postgresql" else ""
    statement = _INSERT.format(as_json=as_json, entries=rows.table("entry", _COLUMNS))
    moment = connection.ops.adapt_datetimefield_value(recorded_at)
    with connection.cursor() as cursor:
        cursor.execute(statement, [workspace_id, moment, rows.parameter(entries)])
        return {record_id for (record_id,) in cursor.fetchall()}


def live_records(workspace_id: int, target: RecordById | RecordByKey) -> QuerySet[UsageRecord]:
    """Return the live record of a target, or none, as a query set."""
    match target:
        case RecordById(record_id):
            wanted = in_chain(record_id)
        case RecordByKey(dialect, key):
            wanted = Q(dialect=dialect, key=key)
    return UsageRecord.objects.live().filter(wanted, workspace_id=workspace_id)


def holder_of_key(*, workspace_id: int, dialect: str, key: str) -> UsageRecord | None:
    """Return the record that has a key, which may be a retraction, without its properties."""
    holding = UsageRecord.objects.filter(workspace_id=workspace_id, dialect=dialect, key=key, superseded_by=None)
    return holding.defer("properties").first()


def refuse_taken_key(*, origin: Origin, key: str | None) -> None:
    """Raise ``DuplicateKey`` if a record already has the key."""
    if key is None:
        return
    holder = holder_of_key(workspace_id=origin.workspace_id, dialect=origin.dialect, key=key)
    if holder is not None:
        raise DuplicateKey(record_id=holder.handle)


_KEYS = {"n": "bigint", "dialect": "text", "key": "text"}
_HOLDERS = f"""
SELECT wanted.n, (
    SELECT {handle_of("r")} FROM usage_usagerecord r
    WHERE r.workspace_id = %s AND r.dialect = wanted.dialect AND r.key = wanted.key AND r.superseded_by_id IS NULL
)
FROM {{wanted}}
"""


def holders_of_keys(keys: Mapping[int, tuple[str, str | None]], *, workspace_id: int) -> dict[int, int]:
    """Return the handles of the records that have keys, given as dialect and key by a number of the caller.

    Unused keys are omitted. One statement, or none if there is no key.
    """
    wanted = [{"n": n, "dialect": dialect, "key": key} for n, (dialect, key) in keys.items() if key is not None]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        statement = _HOLDERS.format(wanted=rows.table("wanted", _KEYS))
        cursor.execute(statement, [workspace_id, rows.parameter(wanted)])
        return {n: handle for n, handle in cursor.fetchall() if handle is not None}


# The columns that a superseding record copies from the former one unless they are changed.
_KEPT = ("line_id", "customer_id", "customer_alias", "event_type", "quantity", "occurred_at", "properties")


def successor(
    former: UsageRecord, *, kind: str, origin: Origin, recorded_at: datetime, note: str = "", **changes: Any
) -> UsageRecord:
    """Return an unsaved record to supersede another: the same except for ``changes``, with its key and handle."""
    kept = {name: getattr(former, name) for name in _KEPT if name not in changes}
    record = UsageRecord(
        kind=kind,
        workspace_id=former.workspace_id,
        dialect=former.dialect,
        key=former.key,
        origin_id=former.handle,
        source=origin.source,
        recorded_by=origin.recorded_by,
        recorded_at=recorded_at,
        note=note,
        **kept,
        **changes,
    )
    if record.line_id is None:
        record.folded = folded_copy(record.properties)
    return record


def supersede(former: UsageRecord, change: UsageRecord, *, open_from_at: datetime | None) -> None:
    """Insert a record that supersedes another, in the caller's transaction; the caller holds the locks of both.

    It gets its id, and is late if either occurred before ``open_from_at``, from which periods are open. Raises
    ``Overtaken`` if another record has superseded the former one since it was read.
    """
    (change.pk,) = next_ids(1)
    change.is_late = is_late(former.occurred_at, change.occurred_at, open_from_at=open_from_at)
    # Update the former record first: only one live record may have the key. The foreign key is checked at commit.
    live = UsageRecord.objects.filter(workspace_id=former.workspace_id, pk=former.pk, superseded_by=None)
    if not live.update(superseded_by_id=change.pk):
        raise Overtaken
    change.save(force_insert=True)


_PAIRS = {"former_id": "bigint", "id": "bigint"}
_SUPERSEDE_MANY = """
UPDATE usage_usagerecord SET superseded_by_id = pair.id FROM {pairs}
WHERE usage_usagerecord.workspace_id = %s AND usage_usagerecord.id = pair.former_id
"""
_INSERT_MATCHES = f"""
INSERT INTO usage_usagerecord
    (id, workspace_id, customer_id, is_late, customer_alias, event_type, occurred_at, recorded_at,
     kind, source, dialect, key, recorded_by, note, properties, folded, origin_id)
SELECT pair.id, r.workspace_id, %s, {late(moment="r.occurred_at", open_from_at="%s")}, r.customer_alias, r.event_type,
    r.occurred_at, r.recorded_at, 'match', r.source, r.dialect, r.key, %s, '',
    r.properties, r.folded, {handle_of("r")}
FROM {{pairs}} JOIN usage_usagerecord r ON r.workspace_id = %s AND r.id = pair.former_id
"""


def supersede_by_matches(
    former_ids: list[int], *, workspace_id: int, customer_id: UUID, open_from_at: datetime | None, recorded_by: str
) -> None:
    """Insert a match that supersedes each live event: the same except for the customer, with its time of receipt.

    Does the same as ``supersede`` for many records, with a fixed number of statements. ``recorded_by``: the actor that
    assigned the name to the customer.
    """
    ids = next_ids(len(former_ids))
    pairs = rows.parameter({"former_id": former_id, "id": pk} for former_id, pk in zip(former_ids, ids, strict=True))
    table = rows.table("pair", _PAIRS)
    changes = [adapt("customer", customer_id), open_from_at and adapt("occurred_at", open_from_at)]
    with connection.cursor() as cursor:
        # Update the former records first, as in ``supersede``.
        cursor.execute(_SUPERSEDE_MANY.format(pairs=table), [pairs, workspace_id])
        cursor.execute(_INSERT_MATCHES.format(pairs=table), [*changes, recorded_by, pairs, workspace_id])
