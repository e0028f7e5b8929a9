"""States of a close run and of its items: each transition, the states it leaves from, and who may make it.

=========  ==================  ==========  ================
run        from                to          made by
=========  ==================  ==========  ================
draft      computing           review      worker
approve    review              issuing     person, worker
finish     issuing             issued      worker
discard    computing, review   discarded   person
=========  ==================  ==========  ================

=========  ==================  ==========  ================
item       from                to          made by
=========  ==================  ==========  ================
close      pending             done        worker
park       pending             parked      worker
withdraw   pending             (deleted)   person
=========  ==================  ==========  ================

A run begins as computing, an item as pending. Each transition is one conditional UPDATE (or DELETE), so of several
processes that try it at once, the first one makes it and the others change nothing. Conditions beyond the state, and
what else happens in the same transaction, belong to the callers: ``billing.invoicing`` and ``usage.closing``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from billing.models import CloseItem, CloseRun


class Maker(StrEnum):
    """The maker of a transition.

    A person decides in the panel or by an API key. A worker continues a run automatically: from the queue, the sweep
    or a command. It approves only runs that issue their drafts without a review or have nothing to review.
    """

    PERSON = "person"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state. ``target``: None if the row is deleted. ``sets``: columns that always change along."""

    name: str
    sources: frozenset[str]
    target: str | None
    makers: frozenset[Maker]
    sets: Mapping[str, Any] = field(default_factory=dict)

    def is_allowed_from(self, state: str) -> bool:
        return state in self.sources


_Run, _Item = CloseRun.State, CloseItem.State

DRAFT = Transition("draft", frozenset({_Run.COMPUTING}), _Run.REVIEW, frozenset({Maker.WORKER}), {"problem": ""})
APPROVE = Transition("approve", frozenset({_Run.REVIEW}), _Run.ISSUING, frozenset(Maker))
FINISH = Transition("finish", frozenset({_Run.ISSUING}), _Run.ISSUED, frozenset({Maker.WORKER}), {"problem": ""})
DISCARD = Transition(
    "discard", frozenset({_Run.COMPUTING, _Run.REVIEW}), _Run.DISCARDED, frozenset({Maker.PERSON}), {"problem": ""}
)
OF_RUNS = (DRAFT, APPROVE, FINISH, DISCARD)

CLOSE = Transition("close", frozenset({_Item.PENDING}), _Item.DONE, frozenset({Maker.WORKER}))
PARK = Transition(
    "park", frozenset({_Item.PENDING}), _Item.PARKED, frozenset({Maker.WORKER}), {"holds_subscription": False}
)
WITHDRAW = Transition("withdraw", frozenset({_Item.PENDING}), None, frozenset({Maker.PERSON}))
OF_ITEMS = (CLOSE, PARK, WITHDRAW)


class NotTheirTransition(ValueError):
    """The maker may not make this transition: a bug of the caller, whatever the state."""


def move_run(run: CloseRun, transition: Transition, *, maker: Maker, only: Q | None = None, **values: Any) -> bool:
    """Make a run's transition in one statement, with ``values`` of its other columns; return whether it was made.

    It is not made if the stored run is in another state or does not match ``only``. The instance is not changed.
    Raises ``NotTheirTransition``.
    """
    stored = CloseRun.objects.filter(only or Q(), workspace_id=run.workspace_id, pk=run.pk)
    return bool(_move(stored, transition, maker, values))


def move_items(items: QuerySet[CloseItem], transition: Transition, *, maker: Maker, **values: Any) -> int:
    """Make the transition of those items whose state allows it, in one statement; return their number.

    Raises ``NotTheirTransition``.
    """
    return _move(items, transition, maker, values)


def release_subscriptions(run: CloseRun) -> None:
    """Release the subscriptions of a finished run, so that other runs can take them."""
    held = CloseItem.objects.filter(workspace_id=run.workspace_id, run=run, holds_subscription=True)
    held.update(holds_subscription=False)


def _move(rows: QuerySet[Any], transition: Transition, maker: Maker, values: Mapping[str, Any]) -> int:
    if maker not in transition.makers:
        raise NotTheirTransition(f"A {maker} may not make the transition “{transition.name}”.")
    movable = rows.filter(state__in=transition.sources)
    if transition.target is None:
        return movable.delete()[0]
    return movable.update(state=transition.target, **transition.sets, **values)
