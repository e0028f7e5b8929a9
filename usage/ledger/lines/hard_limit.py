"""Enforce hard limits: compute how much usage a line still takes in a period. Writers of a total are serialized."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.db.models import prefetch_related_objects

from billing.calendar import Coverage, Period
from billing.contracts import Room, coverage_of, full_period, has_hard_limit, stored_followed_at
from billing.models import Line
from billing.money import EXACT
from billing.storage.rows import is_among
from usage.ledger.cutoff import last_id
from usage.ledger.refusals import LimitReached
from usage.metering import Window, measure
from usage.models import UsageRecord


class Totals:
    """The totals of periods of lines with a hard limit: recorded usage, and usage that the caller adds.

    Nobody else adds to them until the caller's transaction ends. All requested periods are measured with one query,
    each once.
    """

    def __init__(self, wanted: Iterable[tuple[int, datetime]], *, workspace_id: int) -> None:
        self._workspace_id = workspace_id
        self._moments = list(wanted)
        # Measure with another statement once the locks are held, so that it includes concurrent records.
        self._lines = lock_bounded({line_id for line_id, _ in self._moments}, workspace_id=workspace_id)
        self._periods: dict[int, list[Period]] = defaultdict(list)
        self._added: dict[tuple[int, Period], Decimal] = defaultdict(Decimal)
        self._rooms: dict[tuple[int, Period], Room] = {}

    def permit(self, *, line_id: int, quantity: Decimal, occurred_at: datetime, accepts_part: bool) -> Decimal:
        """Return how much of a quantity the line's hard limit permits, and add it to the total; raise ``LimitReached``.

        This is the whole quantity or, if a part is accepted, the positive remainder of the limit if that is less. A
        quantity of zero or less is always permitted.
        """
        line = self._lines[line_id]
        covered = self._covered(line, occurred_at) if has_hard_limit(line) else None
        if covered is None:
            # There is no limit, or the line has ended meanwhile, which the caller detects.
            return quantity
        taken = quantity if quantity <= 0 else self._part(line, covered, quantity, accepts_part)
        self._added[line_id, covered] = EXACT.add(self._added[line_id, covered], taken)
        return taken

    def _part(self, line: Line, covered: Period, quantity: Decimal, accepts_part: bool) -> Decimal:
        used = EXACT.add(self._used[line.pk, covered], self._added[line.pk, covered])
        left = self._room(line, covered).beyond(used, quantity)
        if left == quantity or (accepts_part and left > 0):
            return left
        raise LimitReached(left)

    def _room(self, line: Line, covered: Period) -> Room:
        # The room of a price is computed once for all records.
        room = self._rooms.get((line.pk, covered))
        if room is None:
            room = self._rooms[line.pk, covered] = Room(line=line, coverage=self._coverage(line, covered))
        return room

    def _coverage(self, line: Line, covered: Period) -> Coverage:
        followed_at = self._followed_at.get(line.pk)
        return coverage_of(line.subscription, covered, tz=line.workspace.tz, followed_at=followed_at)

    def _covered(self, line: Line, moment: datetime) -> Period | None:
        # Most moments of a batch fall in a few periods, which are cached.
        known = self._periods[line.pk]
        for period in known:
            if period.contains(moment):
                return period
        covered = _covered(line, moment)
        if covered is not None:
            known.append(covered)
        return covered

    @cached_property
    def _followed_at(self) -> dict[int, datetime | None]:
        by_amount = [line for line in self._lines.values() if line.hard_limit_amount is not None]
        ending = [line.pk for line in by_amount if line.ends_at is not None]
        return stored_followed_at(ending, workspace_id=self._workspace_id)

    @cached_property
    def _used(self) -> dict[tuple[int, Period], Decimal]:
        bounded = ((self._lines[line_id], at) for line_id, at in self._moments)
        periods = {(line.pk, covered) for line, at in bounded if (covered := self._covered(line, at)) is not None}
        cutoff = last_id(workspace_id=self._workspace_id)
        windows = [
            Window.of(self._lines[line_id], covered.starts_at, covered.ends_at, cutoff=cutoff)
            for line_id, covered in periods
        ]
        used = (measured.quantity for measured in measure(windows))
        return dict(zip(periods, used, strict=True))


def check_change(*, line: Line, former: UsageRecord, quantity: Decimal, occurred_at: datetime) -> None:
    """Raise ``LimitReached`` if a correction adds more to a period than the line's hard limit leaves.

    The caller has locked the line against other changes. A change that does not increase a total is always permitted.
    """
    if not has_hard_limit(line):
        return
    was_in_period = _covered(line, former.occurred_at) == _covered(line, occurred_at)
    added = quantity - former.quantity if was_in_period and former.quantity is not None else quantity
    totals = Totals([(line.pk, occurred_at)], workspace_id=line.workspace_id)
    totals.permit(line_id=line.pk, quantity=added, occurred_at=occurred_at, accepts_part=False)


def lock_bounded(line_ids: set[int], *, workspace_id: int) -> dict[int, Line]:
    """Lock lines of a workspace until commit, so that nobody else adds to their totals; return them by id."""
    # In the order of ids, like all writers, or two of them could deadlock.
    lines = Line.objects.filter(workspace_id=workspace_id).select_for_update(of=("self",), no_key=True).order_by("id")
    lines = lines.select_related("brick", "price", "subscription", "workspace")
    found = {line.pk: line for line in lines.filter(is_among("billing_line.id", sorted(line_ids)))}
    by_amount = [line.price for line in found.values() if line.hard_limit_amount is not None and line.price.is_tiered]
    prefetch_related_objects(by_amount, "tiers")
    return found


def _covered(line: Line, moment: datetime) -> Period | None:
    """Return the part of a moment's billing period in which the line is active, the measured window."""
    full = full_period(line.subscription, moment, tz=line.workspace.tz)
    return full.intersect(line.starts_at, line.ends_at)
