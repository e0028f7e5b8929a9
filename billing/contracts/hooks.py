"""Hooks that ``usage`` registers at start-up, so that billing can ask it without importing it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError

from billing.actors import Actor
from billing.contracts.terms import LineTerms
from billing.models import Line, Subscription

# Called before a line is ended, with the new end and the current moment if it is known. Each returns an objection or
# None: the ledger objects if usage was recorded after the end.
objections_to_ending: list[Callable[[Line, datetime, datetime | None], ValidationError | None]] = []


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An effect of adding a line that a user has to confirm.

    ``said`` describes it; ``decided`` is the part that the confirmation depends on, without figures that keep changing.
    """

    said: str
    decided: tuple[object, ...]


# Called before a user, the actor, adds a line. Each returns an effect to confirm or None: the ledger reports the value
# with which a gauge would open.
effects_of_adding: list[Callable[[Subscription, LineTerms, Actor], Foreseen | None]] = []
