"""The language of the ``filter`` parameter, whatever the fields: ``quantity:1..10;invoiceId:!in_1,in_2``.

Clauses, all of which must hold, are separated by ``;``. A clause is a field, ``:`` and values, one of which must match,
separated by ``,``; with ``!`` before the first, none may. A value is a text, or a range whose ends, of which one may
be left out, are separated by ``..`` and included.
"""

from dataclasses import dataclass

# What a statement can hold without growing too deep for the database.
MOST_VALUES = 100


class MalformedFilter(ValueError):
    """The text is no filter; the message says where."""


@dataclass(frozen=True, slots=True)
class Exact:
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    lowest: str | None
    highest: str | None


@dataclass(frozen=True, slots=True)
class Clause:
    field: str
    values: tuple[Exact | Range, ...]
    is_negated: bool = False


def parse(text: str) -> list[Clause]:
    """Return the clauses of a filter, none of an empty one; raise ``MalformedFilter``."""
    if "\0" in text:
        raise MalformedFilter("A filter holds no NUL.")
    if not text.strip():
        return []
    clauses = [_clause(part.strip()) for part in text.split(";")]
    if sum(len(clause.values) for clause in clauses) > MOST_VALUES:
        raise MalformedFilter(f"A filter has at most {MOST_VALUES} values.")
    return clauses


def _clause(text: str) -> Clause:
    field, colon, values = text.partition(":")
    field = field.strip()
    if not colon or not field:
        raise MalformedFilter(f"“{text}” is no field, “:” and values.")
    first, *others = [part.strip() for part in values.split(",")]
    is_negated = first.startswith("!")
    if is_negated:
        # Said once or for each value, it means the same.
        first, others = first[1:].strip(), [other.removeprefix("!").strip() for other in others]
    return Clause(field, tuple(_value(field, value) for value in (first, *others)), is_negated)


def _value(field: str, text: str) -> Exact | Range:
    if text.startswith("!"):
        raise MalformedFilter(f"{field}: “!” negates all values or none, and stands before the first.")
    if text.startswith("@"):
        raise MalformedFilter(f"{field}: there are no lists of values here.")
    lowest, dots, highest = (part.strip() for part in text.partition(".."))
    if not dots and not lowest:
        raise MalformedFilter(f"{field}: a value is missing.")
    if not dots:
        return Exact(text)
    if not lowest and not highest:
        raise MalformedFilter(f"{field}: a range has a lowest or a highest value.")
    return Range(lowest or None, highest or None)
