"""Registry of aggregations: the ways in which the usage of a period becomes one quantity, with their properties.

The code that measures usage defines them and registers them here at start-up. All other code (forms, APIs, intake,
closing) checks a property and never a name, so that adding an aggregation does not change it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Generic, Literal, TypeVar

from billing.money import EXACT

Combine = Callable[[Sequence[Decimal]], Decimal]
# Colours of the panel's labels.
Colour = Literal["", "info", "success", "warning", "danger"]
# A property of a brick's aggregation that SQL or a message refers to.
Trait = Literal["takes_usage", "takes_events", "may_be_negative", "stands_on", "takes_limits"]

# The default aggregation of a brick.
DEFAULT = "sum"
# The only event aggregation that reads no property: a database constraint refers to it.
READS_NO_PROPERTY = "count"

LONGEST_NAME = 16
_NAME = re.compile(rf"[a-z][a-z_]{{0,{LONGEST_NAME - 1}}}")


def added(quantities: Sequence[Decimal]) -> Decimal:
    """Return the exact total, 0 if there is nothing to add."""
    return reduce(EXACT.add, quantities, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """``name``: the stored value. ``label``: in forms and lists of choices.

    ``combine``: combines the quantities of parts that were measured separately (lines of a brick, customers), in the
    order in which the parts began.
    """

    name: str
    label: str
    combine: Combine = added

    def __post_init__(self) -> None:
        # Names are written into SQL unquoted.
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"An aggregation's name has 1 to {LONGEST_NAME} letters a-z or _, unlike “{self.name}”.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation(_Named):
    """How a brick's quantity is measured, with the properties that recording, billing and display depend on.

    ``short_label``: the brick's kind in one or two words, with ``colour`` in lists. ``help``: the meaning of a
    record's quantity, for users who enter one. ``unit_suffix``: written after the unit of a period's quantity.

    ``takes_usage``: it measures records of a line. ``takes_events``: it measures events of the line's customer, by the
    brick's rule. An aggregation that takes neither is not metered.
    ``may_be_negative``: whether a record may be below zero.
    ``stands_on``: a record's value stands until the next one, even beyond the end of a period. A line can carry on the
    value of the previous line, and a late change affects every later period.
    ``takes_limits``: a record adds its quantity to its own period only, so that limits can bound the total.
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
    """An aggregation of the events that match a brick's rule.

    ``phrase``: a description of the quantity, with ``{property}`` as the placeholder of the property's name.
    ``reads_property``: whether a rule must name a property. ``reads``: the kind of value that is read, a number or any
    value; an event without one adds nothing.
    """

    phrase: str
    reads_property: bool = True
    reads: str = "value"


Kind = TypeVar("Kind", Aggregation, EventAggregation)


class Table(Generic[Kind]):
    """Aggregations by name, in the order of lists of choices."""

    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}

    def register(self, *added: Kind) -> None:
        """Register more aggregations; raise ``ValueError`` if a name is taken."""
        for each in added:
            if self._by_name.setdefault(each.name, each) != each:
                raise ValueError(f"There already is an aggregation “{each.name}”.")

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
    """Return the choices of a brick's aggregation: stored values and labels."""
    return [(each.name, each.label) for each in OF_BRICKS]


def rule_choices() -> list[tuple[str, str]]:
    """Return the choices of an event rule's aggregation: stored values and labels."""
    return [(each.name, each.label) for each in OF_RULES]


def names(trait: Trait) -> tuple[str, ...]:
    """Return the names of the bricks' aggregations that have a property."""
    return tuple(each.name for each in OF_BRICKS if getattr(each, trait))


def sql_names(trait: Trait) -> str:
    """Return these names as the right side of SQL's ``IN``: literals, so that planners know their frequencies."""
    quoted = ", ".join(f"'{name}'" for name in names(trait))
    return f"({quoted or 'NULL'})"


def short_labels(trait: Trait) -> str:
    """Return the kinds of bricks that have a property, as text: "counter or gauge"."""
    return " or ".join(each.short_label for each in OF_BRICKS if getattr(each, trait))
