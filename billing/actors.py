"""Actors: the sender and the source of a change. Every domain function that writes takes one and stores it.

Usage is recorded by commands, whose ``Origin`` is the same for the ledger.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import TextChoices

# The maximum length of a stored label.
LONGEST_LABEL = 150


class ActorKind(TextChoices):
    """The kinds of actors. A schedule is a task of the queue that runs without a request of a user."""

    PERSON = "person", "Person"
    KEY = "key", "API key"
    COMMAND = "command", "Command"
    SCHEDULE = "schedule", "Schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A user, an API key, a command or a schedule, with its current name and the source of its changes.

    ``via``: ``panel``, the name of a dialect, ``command`` or ``schedule``. ``id``: of the user or key. ``label``: the
    text of at most 150 characters by which other rows refer to the actor, such as ``started_by`` of a close run.
    """

    kind: ActorKind
    name: str
    via: str
    label: str
    id: int | None = None

    def on_behalf_of(self, label: str) -> "Actor":
        """Return this actor with the label of the actor on whose behalf it works."""
        return replace(self, label=label)


def person(user: Any) -> Actor:
    """Return the actor of a user who is logged in to the panel, with the full name or else the user name."""
    name = user.get_full_name() or user.get_username()
    return Actor(kind=ActorKind.PERSON, id=user.pk, name=name[:200], via="panel", label=name[:LONGEST_LABEL])


def api_key(key: Any, *, via: str) -> Actor:
    """Return the actor of an API key, with its name and the beginning of its text. ``via``: the dialect in use."""
    label = f"key {key.prefix}… ({key.name})"
    return Actor(kind=ActorKind.KEY, id=key.pk, name=f"{key.name} ({key.prefix}…)", via=via, label=label)


def command(name: str) -> Actor:
    """Return the actor of a ``manage.py`` command, with the command's name."""
    return Actor(kind=ActorKind.COMMAND, name=name, via="command", label="command line")


def schedule(task: str) -> Actor:
    """Return the actor of a task of the queue, with the task's name."""
    return Actor(kind=ActorKind.SCHEDULE, name=task, via="schedule", label="schedule")
