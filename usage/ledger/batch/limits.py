"""Hard limits in a batch: what of it they let in, each line's period measured once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from usage.ledger.batch.entries import Entry, UsageToBe
from usage.ledger.batch.keys import known_keys
from usage.ledger.lines.hard_limit import Totals
from usage.ledger.refusals import LimitReached


@dataclass(frozen=True, slots=True)
class Permitted:
    """What is let in, in the order of the batch, and what is not, by its place.

    ``counted``: the places of what takes up some of a limit, which is wrong where another turns out to have its key.
    """

    entries: list[Entry] = field(default_factory=list)
    refused: dict[int, LimitReached] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)


def permitted(workspace_id: int, entries: Sequence[Entry]) -> Permitted:
    """Return what limits let in of a batch, as if one were recorded after the other.

    What has a key that another has already takes nothing of a limit: it is let in, for the ledger to find that out.
    Until the caller's transaction ends, nobody else adds to the totals of the lines with a limit.
    """
    bounded = [entry for entry in entries if isinstance(entry, UsageToBe) and entry.is_bounded]
    if not bounded:
        return Permitted(entries=list(entries))
    # Their lines are locked before any key is taken, or two writers could wait for each other.
    totals = Totals(((entry.line.id, entry.occurred_at) for entry in bounded), workspace_id=workspace_id)
    known = known_keys(workspace_id, {entry.position: entry for entry in bounded})
    found, keys = Permitted(), set()
    for entry in entries:
        name = (entry.command.origin.dialect, entry.key)
        is_repeat = entry.position in known or name in keys
        if isinstance(entry, UsageToBe) and entry.is_bounded and not is_repeat:
            try:
                entry = _within(totals, entry)
            except LimitReached as refusal:
                found.refused[entry.position] = refusal
                continue
            found.counted.add(entry.position)
        if entry.key is not None:
            keys.add(name)
        found.entries.append(entry)
    return found


def _within(totals: Totals, entry: UsageToBe) -> UsageToBe:
    quantity = totals.permit(
        line_id=entry.line.id,
        quantity=entry.quantity,
        occurred_at=entry.occurred_at,
        accepts_part=entry.command.accepts_part,
    )
    return entry._replace(quantity=quantity)
