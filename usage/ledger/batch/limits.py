"""Apply hard limits to a batch: each period of a line is measured once, however many entries it has."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from usage.ledger.batch.entries import AcceptedUsage, Entry
from usage.ledger.lines import Totals
from usage.ledger.refusals import LimitReached
from usage.ledger.store import holders_of_keys


@dataclass(frozen=True, slots=True)
class Limited:
    """The entries that limits permit, in the order of the batch, and the refusals of the others by position.

    ``counted``: the positions of entries that use up some of a limit; they must not turn out to be duplicates.
    """

    entries: list[Entry] = field(default_factory=list)
    refused: dict[int, LimitReached] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)


def apply_limits(workspace_id: int, entries: Sequence[Entry]) -> Limited:
    """Return the entries of a batch that limits permit, as if they were recorded one after the other.

    An entry with a used key uses up nothing of a limit: it is permitted, so that the insert detects it. Until the
    caller's transaction ends, nobody else adds to the totals of the lines with a limit.
    """
    bounded = [entry for entry in entries if isinstance(entry, AcceptedUsage) and entry.is_bounded]
    if not bounded:
        return Limited(entries=list(entries))
    # Lock the lines before any key is inserted, or two writers could deadlock.
    totals = Totals(((entry.line.id, entry.occurred_at) for entry in bounded), workspace_id=workspace_id)
    keys = {entry.position: (entry.command.origin.dialect, entry.key) for entry in bounded}
    used = holders_of_keys(keys, workspace_id=workspace_id)
    limited, keys_before = Limited(), set()
    for entry in entries:
        key = (entry.command.origin.dialect, entry.key)
        is_repeat = entry.position in used or key in keys_before
        if isinstance(entry, AcceptedUsage) and entry.is_bounded and not is_repeat:
            try:
                entry = _permit(totals, entry)
            except LimitReached as refusal:
                limited.refused[entry.position] = refusal
                continue
            limited.counted.add(entry.position)
        if entry.key is not None:
            keys_before.add(key)
        limited.entries.append(entry)
    return limited


def _permit(totals: Totals, entry: AcceptedUsage) -> AcceptedUsage:
    quantity = totals.permit(
        line_id=entry.line.id,
        quantity=entry.quantity,
        occurred_at=entry.occurred_at,
        accepts_part=entry.command.accepts_part,
    )
    return entry._replace(quantity=quantity)
