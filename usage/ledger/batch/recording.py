"""Recording many at once: one statement locks their lines, one draws the ids, one inserts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db import connection

from billing.storage.rows import given, rows
from usage.commands import RecordUsage, ReportEvent
from usage.ledger.batch.entries import Entry, UsageToBe, event_to_be, usage_to_be
from usage.ledger.batch.keys import known_keys
from usage.ledger.batch.limits import permitted
from usage.ledger.events.naming import LockedCustomers
from usage.ledger.events.recording import report_event
from usage.ledger.lines.locked import LockedLines
from usage.ledger.lines.recording import record
from usage.ledger.locks import Moved, next_ids, settled
from usage.ledger.refusals import DuplicateKey, UnableToRecord
from usage.ledger.values import Recorded, RecordedEvent

Outcome = Recorded | RecordedEvent | UnableToRecord


@settled
def record_many(*, commands: Sequence[RecordUsage | ReportEvent], recorded_at: datetime) -> list[Outcome]:
    """Append many records of one workspace at once; return, in order, what each became or why it was not taken.

    What is wrong with one keeps no other out: outcomes and ledger are those of recording one after the other. The
    number of statements is fixed, but for events that supersede.
    """
    if not commands:
        return []
    (workspace_id,) = {command.origin.workspace_id for command in commands}
    outcomes: dict[int, Outcome] = {}
    entries: list[Entry] = []
    for position, entry in enumerate(_entries(workspace_id, commands, recorded_at)):
        if isinstance(entry, UnableToRecord):
            outcomes[position] = entry
        else:
            entries.append(entry)
    at_once, one_by_one = _apart(entries)
    outcomes.update(_record_at_once(workspace_id, at_once, recorded_at))
    outcomes.update(_record_each(one_by_one, recorded_at))
    return [outcomes[position] for position in range(len(commands))]


def _entries(
    workspace_id: int, commands: Sequence[RecordUsage | ReportEvent], recorded_at: datetime
) -> Iterator[Entry | UnableToRecord]:
    usage = [command for command in commands if isinstance(command, RecordUsage)]
    events = [command for command in commands if isinstance(command, ReportEvent)]
    lines = LockedLines(workspace_id, (command.address for command in usage))
    customers = LockedCustomers(workspace_id, (command.customer_alias for command in events))
    for position, command in enumerate(commands):
        try:
            if isinstance(command, RecordUsage):
                yield usage_to_be(position, command, lines)
            else:
                yield event_to_be(position, command, customers, recorded_at)
        except UnableToRecord as refusal:
            yield refusal


def _apart(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return what can be recorded at once, and what depends on what came before it and so is recorded one by one."""
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        parts[entry.goes_alone].append(entry)
    free, alone = parts
    # Who is the first with a key depends on what becomes of the others with it.
    shared = {entry.key for entry in free} & {entry.key for entry in alone} - {None}
    return ([], list(entries)) if shared else parts


def _record_each(entries: Iterable[Entry], recorded_at: datetime) -> Iterator[tuple[int, Outcome]]:
    for entry in entries:
        try:
            if isinstance(entry, UsageToBe):
                yield entry.position, record(command=entry.command, recorded_at=recorded_at)
            else:
                yield entry.position, report_event(command=entry.command, recorded_at=recorded_at)
        except UnableToRecord as refusal:
            yield entry.position, refusal


def _record_at_once(
    workspace_id: int, entries: Sequence[Entry], recorded_at: datetime
) -> Iterator[tuple[int, Outcome]]:
    """Insert those whose key no live record has, the first of each key, as far as limits leave room for them."""
    found = permitted(workspace_id, entries)
    yield from found.refused.items()
    if not found.entries:
        return
    # Drawn now that all lines and customers are locked: the cutoffs of closing depend on it.
    by_id = dict(zip(next_ids(len(found.entries)), found.entries, strict=True))
    taken = _insert(workspace_id, by_id, recorded_at)
    repeats = {pk: entry for pk, entry in by_id.items() if pk not in taken}
    if any(entry.position in found.counted for entry in repeats.values()):
        # It took of a limit what is left to others now.
        raise Moved
    known = known_keys(workspace_id, repeats)
    for record_id, entry in by_id.items():
        yield (
            entry.position,
            _repeat(known[record_id]) if record_id in known else entry.recorded(record_id, recorded_at),
        )


def _repeat(record_id: int) -> DuplicateKey:
    return DuplicateKey("Usage with this id was recorded already.", record_id=record_id)


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
FROM {{given}}
WHERE true
ON CONFLICT (workspace_id, dialect, key) WHERE key IS NOT NULL AND superseded_by_id IS NULL DO NOTHING
RETURNING id
"""


def _insert(workspace_id: int, entries: Mapping[int, Entry], recorded_at: datetime) -> set[int]:
    moment = connection.ops.adapt_datetimefield_value
    # In the order of their keys, or two batches with the same ones could wait for each other.
    in_order = sorted(entries.items(), key=lambda one: (one[1].command.origin.dialect, one[1].key or ""))
    wanted = rows({"id": pk, "occurred_at": moment(entry.occurred_at), **entry.row()} for pk, entry in in_order)
    as_json = "::jsonb" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT.format(as_json=as_json, given=given(_COLUMNS)), [workspace_id, moment(recorded_at), wanted]
        )
        return {record_id for (record_id,) in cursor.fetchall()}
