"""Actors: who writes, and from where. Every domain function that writes takes one and keeps it with what it wrote."""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import TextChoices

PANEL = "panel"
# The longest label that a row keeps.
LONGEST_LABEL = 150


class ActorKind(TextChoices):
    """The kinds of actors. A schedule is a task of the queue that no person waits for."""

    PERSON = "person", "Person"
    KEY = "key", "API key"
    COMMAND = "command", "Command"
    SCHEDULE = "schedule", "Schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a person, an API key, a command or a schedule, by its present name; and from where.

    ``via``: ``panel``, the name of a dialect, ``command`` or ``schedule``. ``id``: of the person or key. ``label``: the
    text of at most 150 characters that other rows keep of the actor, such as a close run as its ``started_by``.
    """

    kind: ActorKind
    name: str
    via: str
    label: str
    id: int | None = None

    def on_behalf_of(self, label: str) -> "Actor":
        """Return this actor with the label of whoever asked for what it does now."""
        return replace(self, label=label)


def person(user: Any, *, via: str = PANEL) -> Actor:
    """Return a person who is logged in, by their full name or else their user name."""
    name = user.get_full_name() or user.get_username()
    return Actor(kind=ActorKind.PERSON, id=user.pk, name=name[:200], via=via, label=name[:LONGEST_LABEL])


def api_key(key: Any, *, via: str) -> Actor:
    """Return an API key, by its name and the beginning of its text. ``via``: the dialect that it speaks."""
    label = f"key {key.prefix}… ({key.name})"
    return Actor(kind=ActorKind.KEY, id=key.pk, name=f"{key.name} ({key.prefix}…)", via=via, label=label)


def command(name: str) -> Actor:
    """Return a command of ``manage.py``, by its name."""
    return Actor(kind=ActorKind.COMMAND, name=name, via="command", label="command line")


def schedule(task: str) -> Actor:
    """Return a task of the queue, by its name."""
    return Actor(kind=ActorKind.SCHEDULE, name=task, via="schedule", label="schedule")
