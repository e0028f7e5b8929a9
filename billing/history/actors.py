"""Who acts: set where a request or a job begins, known wherever something is changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from billing.models import ApiKey, Change


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key or the program itself, by the name that it has now."""

    kind: Change.Actor
    id: int | None = None
    name: str = ""


PROGRAM = Actor(Change.Actor.PROGRAM)
# Asked only when something is changed: most requests change nothing, and to know a person takes a query.
_who: ContextVar[Callable[[], Actor]] = ContextVar("who", default=lambda: PROGRAM)


def key(of: ApiKey) -> Actor:
    """Return a key as what acts; its name and what it begins with tell it from others."""
    return Actor(Change.Actor.KEY, of.pk, f"{of.name} ({of.prefix}…)")


def person(user: Any) -> Actor:
    """Return a person of the panel as who acts, or the program where nobody is logged in."""
    if not user.is_authenticated:
        return PROGRAM
    return Actor(Change.Actor.PERSON, user.pk, user.get_full_name() or user.get_username())


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Let what is changed inside be this one's doing; ``who`` is asked when something is."""
    before = _who.set(who)
    try:
        yield
    finally:
        _who.reset(before)


def act_as(who: Callable[[], Actor]) -> None:
    """Name who acts from now on, inside of ``acting``: a request says by what it bears who sends it."""
    _who.set(who)


def current() -> Actor:
    """Return who acts now."""
    return _who.get()()
