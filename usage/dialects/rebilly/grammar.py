"""Parse the ``filter`` parameter, independently of its fields: ``quantity:1..10;invoiceId:!in_1,in_2``.

Clauses are separated by ``;``, and all must match. A clause is a field, ``:`` and values separated by ``,``. One
value must match; with ``!`` before the first, none may match. A value is a text, or a range whose inclusive ends are
separated by ``..``; one end may be omitted. Texts are compared exactly, including blanks at their ends; blanks around a
field's name and before ``!`` are ignored.
"""

from dataclasses import dataclass

from django.conf import settings


class MalformedFilter(ValueError):
    """The text is not a filter; the message says where parsing fails."""


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
    """Return the clauses of a filter, an empty list for an empty text; raise ``MalformedFilter``."""
    if "\0" in text:
        raise MalformedFilter("Contains a NUL character.")
    if not text.strip():
        return []
    clauses = [_clause(part) for part in text.split(";")]
    # With more values, the statement would be nested too deeply for the database.
    if sum(len(clause.values) for clause in clauses) > settings.FILTER_VALUES:
        raise MalformedFilter(f"A filter has at most {settings.FILTER_VALUES} values.")
    return clauses


def _clause(text: str) -> Clause:
    field, colon, values = text.partition(":")
    field = field.strip()
    if not colon or not field:
        raise MalformedFilter(f"“{text.strip()}” does not have the form field:values.")
    first, *others = [_from_sign(part) for part in values.split(",")]
    is_negated = first.startswith("!")
    if is_negated:
        # A negation before the first value means the same as one before each.
        first, others = _from_sign(first[1:]), [_from_sign(other.removeprefix("!")) for other in others]
    return Clause(field, tuple(_value(field, value) for value in (first, *others)), is_negated)


def _from_sign(text: str) -> str:
    """Return the text from its first significant character on: no reference begins with a sign."""
    return text.lstrip() if text.lstrip().startswith(("!", "@")) else text


def _value(field: str, text: str) -> Exact | Range:
    if text.startswith("!"):
        raise MalformedFilter(f"{field}: “!” negates all values, and must be before the first.")
    if text.startswith("@"):
        raise MalformedFilter(f"{field}: a list of values is not allowed.")
    lowest, dots, highest = text.partition("..")
    if not dots and not lowest.strip():
        raise MalformedFilter(f"{field}: a value is missing.")
    if not dots:
        return Exact(text)
    if not lowest.strip() and not highest.strip():
        raise MalformedFilter(f"{field}: a range requires at least one end.")
    return Range(lowest if lowest.strip() else None, highest if highest.strip() else None)
