"""Lists that ``usage`` fills at start-up: billing asks it without knowing it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError

from billing.actors import Actor
from billing.contracts.terms import LineTerms
from billing.models import Line, Subscription

# Called before a line ends, with its new end and the moment of asking where it is known. A function returns why the
# line may not end then, or None: the ledger objects where usage was recorded later.
objections_to_ending: list[Callable[[Line, datetime, datetime | None], ValidationError | None]] = []


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An effect of adding a line that a person is shown first.

    ``said`` describes it; ``decided`` is the part that the person decides by, without figures that move meanwhile.
    """

    said: str
    decided: tuple[object, ...]


# Called before a person, the actor, adds a line. A function returns an effect to show first, or None: the ledger tells
# the value with which a gauge would open.
effects_of_adding: list[Callable[[Subscription, LineTerms, Actor], Foreseen | None]] = []
