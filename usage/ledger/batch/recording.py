"""Record many at once: one statement locks their lines, one generates the ids, one inserts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db import connection

from usage.commands import RecordUsage, ReportEvent
from usage.ledger.batch.entries import AcceptedUsage, Entry, accept_event, accept_usage
from usage.ledger.batch.limits import apply_limits
from usage.ledger.events import LockedNames, report_event
from usage.ledger.lines import lock_lines, record
from usage.ledger.locks import Overtaken, retry_when_overtaken
from usage.ledger.refusals import DuplicateKey, UnableToRecord
from usage.ledger.store import holders_of_keys, insert_entries, next_ids
from usage.ledger.values import Recorded, RecordedEvent

Outcome = Recorded | RecordedEvent | UnableToRecord


@retry_when_overtaken
def record_many(*, commands: Sequence[RecordUsage | ReportEvent], recorded_at: datetime) -> list[Outcome]:
    """Append many records of one workspace at once; return, in order, each record or the reason why it was refused.

    An invalid command does not affect the others: results and ledger are those of recording one after the other. The
    number of statements is fixed, except for events that supersede. Raises ``ValueError`` if the commands are of
    several workspaces.
    """
    if not commands:
        return []
    (workspace_id,) = {command.origin.workspace_id for command in commands}
    outcomes: dict[int, Outcome] = {}
    entries: list[Entry] = []
    for position, entry in enumerate(_accept(workspace_id, commands, recorded_at)):
        if isinstance(entry, UnableToRecord):
            outcomes[position] = entry
        else:
            entries.append(entry)
    together, in_turn = _split(entries)
    outcomes.update(_record_together(workspace_id, together, recorded_at))
    outcomes.update(_record_in_turn(in_turn, recorded_at))
    return [outcomes[position] for position in range(len(commands))]


def _accept(
    workspace_id: int, commands: Sequence[RecordUsage | ReportEvent], recorded_at: datetime
) -> Iterator[Entry | UnableToRecord]:
    usage = [command for command in commands if isinstance(command, RecordUsage)]
    events = [command for command in commands if isinstance(command, ReportEvent)]
    lines = lock_lines(workspace_id, (command.address for command in usage))
    names = LockedNames((command.customer_alias for command in events), workspace_id=workspace_id)
    for position, command in enumerate(commands):
        try:
            if isinstance(command, RecordUsage):
                yield accept_usage(position, command, lines)
            else:
                yield accept_event(position, command, names, recorded_at)
        except UnableToRecord as refusal:
            yield refusal


def _split(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entries that can be recorded together, and those that depend on earlier ones."""
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        parts[entry.may_supersede].append(entry)
    together, in_turn = parts
    # Which of the entries with the same key comes first depends on the results of the others.
    shared = {entry.key for entry in together} & {entry.key for entry in in_turn} - {None}
    return ([], list(entries)) if shared else parts


def _record_in_turn(entries: Iterable[Entry], recorded_at: datetime) -> Iterator[tuple[int, Outcome]]:
    for entry in entries:
        try:
            if isinstance(entry, AcceptedUsage):
                yield entry.position, record(command=entry.command, recorded_at=recorded_at)
            else:
                yield entry.position, report_event(command=entry.command, recorded_at=recorded_at)
        except UnableToRecord as refusal:
            yield entry.position, refusal


def _record_together(
    workspace_id: int, entries: Sequence[Entry], recorded_at: datetime
) -> Iterator[tuple[int, Outcome]]:
    """Insert entries with an unused key, of equal keys the first, as far as hard limits permit."""
    limited = apply_limits(workspace_id, entries)
    yield from limited.refused.items()
    if not limited.entries:
        return
    # Generate the ids only after all lines and customers are locked: the cutoffs of closing depend on it.
    by_id = dict(zip(next_ids(len(limited.entries)), limited.entries, strict=True))
    inserted = _insert(workspace_id, by_id, recorded_at)
    repeats = {pk: entry for pk, entry in by_id.items() if pk not in inserted}
    if any(entry.position in limited.counted for entry in repeats.values()):
        # It used up some of a limit, which is available to others now.
        raise Overtaken
    keys = {pk: (entry.command.origin.dialect, entry.key) for pk, entry in repeats.items()}
    holders = holders_of_keys(keys, workspace_id=workspace_id)
    for record_id, entry in by_id.items():
        holder = holders.get(record_id)
        outcome = entry.recorded(record_id, recorded_at) if holder is None else DuplicateKey(record_id=holder)
        yield entry.position, outcome


def _insert(workspace_id: int, entries: Mapping[int, Entry], recorded_at: datetime) -> set[int]:
    moment = connection.ops.adapt_datetimefield_value
    # In the order of keys, or two batches with the same keys could deadlock.
    in_order = sorted(entries.items(), key=lambda one: (one[1].command.origin.dialect, one[1].key or ""))
    rows = ({"id": pk, "occurred_at": moment(entry.occurred_at), **entry.row()} for pk, entry in in_order)
    return insert_entries(rows, workspace_id=workspace_id, recorded_at=recorded_at)
