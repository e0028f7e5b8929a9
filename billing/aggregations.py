"""Aggregations: how the usage of a period becomes one quantity, and everything else that depends on it.

Whoever measures usage defines them and registers them here when the program starts. All others (forms, APIs, intake,
closing) ask for a property and never for a name, so that adding an aggregation changes none of them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Generic, Literal, TypeVar

from billing.money import EXACT

Combine = Callable[[Sequence[Decimal]], Decimal]
# The colours in which the panel shows a short label.
Colour = Literal["", "info", "success", "warning", "danger"]
# A property of a brick's aggregation that is asked for in SQL or in a message.
Trait = Literal["takes_usage", "takes_events", "may_be_negative", "stands_on", "takes_limits"]

# The aggregation of a brick that is made without one.
DEFAULT = "sum"
# The one way to count events that reads no property: a constraint of the database names it.
READS_NO_PROPERTY = "count"

LONGEST_NAME = 16
_NAME = re.compile(rf"[a-z][a-z_]{{0,{LONGEST_NAME - 1}}}")


def added(quantities: Sequence[Decimal]) -> Decimal:
    """Return the exact total, 0 of nothing."""
    return reduce(EXACT.add, quantities, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """``name``: the stored value. ``label``: in forms and lists of choices.

    ``combine``: makes one quantity of those of several parts that were measured apart (lines of a brick, customers), in
    the order in which the parts began.
    """

    name: str
    label: str
    combine: Combine = added

    def __post_init__(self) -> None:
        # Names stand in SQL as they are.
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"An aggregation's name has 1 to {LONGEST_NAME} letters a-z or _, unlike “{self.name}”.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation(_Named):
    """How a brick's quantity is measured, and what follows for those who record, bill and show it.

    ``short_label``: the brick's kind in one or two words, with ``colour`` in lists. ``help``: what the quantity of a
    record means, for people who enter one. ``unit_suffix``: written after the unit of a period's quantity.

    ``takes_usage``: it counts records of a line. ``takes_events``: it counts events of the line's customer, by the
    brick's rule. An aggregation that takes neither is not metered.
    ``may_be_negative``: whether a record may be below zero.
    ``stands_on``: a record's value stands until the next one, also over the end of a period. A line can carry on the
    value of the line before it, and a late change reaches into every later period.
    ``takes_limits``: a record adds its quantity to its period and changes no other, so that limits can bound the total.
    """

    short_label: str
    help: str = ""
    colour: Colour = ""
    unit_suffix: str = ""
    takes_usage: bool = False
    takes_events: bool = False
    may_be_negative: bool = False
    stands_on: bool = False
    takes_limits: bool = False

    @property
    def is_metered(self) -> bool:
        return self.takes_usage or self.takes_events


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAggregation(_Named):
    """How the events that match a brick's rule become its quantity.

    ``phrase``: what is counted, in words, with ``{property}`` where the property's name belongs.
    ``reads_property``: whether a rule must name a property. ``reads``: what it reads there, a number or any value; an
    event without one counts for nothing.
    """

    phrase: str
    reads_property: bool = True
    reads: str = "value"


Kind = TypeVar("Kind", Aggregation, EventAggregation)


class Table(Generic[Kind]):
    """Aggregations by name, in the order in which they are offered."""

    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}

    def register(self, *added: Kind) -> None:
        """Offer more aggregations; raise ``ValueError`` where a name is taken."""
        for each in added:
            if self._by_name.setdefault(each.name, each) != each:
                raise ValueError(f"There is another aggregation “{each.name}”.")

    def __getitem__(self, name: str) -> Kind:
        try:
            return self._by_name[name]
        except KeyError:
            raise LookupError(f"There is no aggregation “{name}”.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_name.values())


OF_BRICKS: Table[Aggregation] = Table()
OF_RULES: Table[EventAggregation] = Table()


def brick_choices() -> list[tuple[str, str]]:
    """Return the stored values of a brick's aggregation with their labels."""
    return [(each.name, each.label) for each in OF_BRICKS]


def rule_choices() -> list[tuple[str, str]]:
    """Return the stored values of an event rule's aggregation with their labels."""
    return [(each.name, each.label) for each in OF_RULES]


def names(trait: Trait) -> tuple[str, ...]:
    """Return the names of the bricks' aggregations that have a property."""
    return tuple(each.name for each in OF_BRICKS if getattr(each, trait))


def sql_names(trait: Trait) -> str:
    """Return those names as the right side of SQL's ``IN``, as literals: planners know how common each is."""
    quoted = ", ".join(f"'{name}'" for name in names(trait))
    return f"({quoted or 'NULL'})"


def short_labels(trait: Trait) -> str:
    """Return the kinds of bricks that have a property, in words: "counter or gauge"."""
    return " or ".join(each.short_label for each in OF_BRICKS if getattr(each, trait))
