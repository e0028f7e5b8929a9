"""The actor of a change: set where a request or job begins, read where the change is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from billing.models import ApiKey, Change


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key or the program itself, with its present name."""

    kind: Change.Actor
    id: int | None = None
    name: str = ""


PROGRAM = Actor(Change.Actor.PROGRAM)
# Called only when something is changed: most requests change nothing, and finding the person takes a query.
_who: ContextVar[Callable[[], Actor]] = ContextVar("who", default=lambda: PROGRAM)


def key(of: ApiKey) -> Actor:
    """Return a key as an actor, called by its name and prefix."""
    return Actor(Change.Actor.KEY, of.pk, f"{of.name} ({of.prefix}…)")


def person(user: Any) -> Actor:
    """Return a person of the panel as an actor, or the program where nobody is logged in."""
    if not user.is_authenticated:
        return PROGRAM
    return Actor(Change.Actor.PERSON, user.pk, user.get_full_name() or user.get_username())


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Attribute changes made inside to an actor; ``who`` is called when there is one."""
    before = _who.set(who)
    try:
        yield
    finally:
        _who.reset(before)


def act_as(who: Callable[[], Actor]) -> None:
    """Replace the actor inside of ``acting``, once a request has shown who sends it."""
    _who.set(who)


def current() -> Actor:
    """Return the present actor."""
    return _who.get()()
