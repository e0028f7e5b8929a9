"""Translate reported usage into commands, one record or thousands, with errors by field.

A serializer takes longer for a record than the database does, so these few fields are parsed by hand.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from billing.models import GREATEST_LINE_NUMBER, Brick, Line, Subscription, Workspace
from usage.ahead import too_far_ahead
from usage.commands import LineByBrick, LineByNumber, Origin, RecordUsage, ReportEvent
from usage.dialects.native.fields import parse_id
from usage.dialects.shared.fields import NotAMoment, parse_moment, plain_number, text_of
from usage.ledger import UnableToRecord, exact_quantity

# The errors of a record that was sent: messages by field.
Wrong = dict[str, list[str]]

LONGEST_TEXT = 255
LONGEST_NOTE = 500
_REQUIRED = "This field is required."
_NULL = "This field may not be null."
_WHOSE = "Give a line, or a subscription and a brick, or a customer_alias and an event_type."
_LINE, _BRICK, _EVENT = ("line",), ("subscription", "brick"), ("customer_alias", "event_type")
_NEEDED = {
    _LINE: (*_LINE, "quantity", "occurred_at"),
    _BRICK: (*_BRICK, "quantity", "occurred_at"),
    _EVENT: (*_EVENT, "occurred_at"),
    (): ("occurred_at",),
}
_OF_LINES = ("quantity", "note")


class _Refused(Exception):
    """The value is invalid; the message gives the reason."""


class _Report(NamedTuple):
    """A record as sent: the fields that identify the owner of the usage, and all fields by name."""

    whose: tuple[str, ...]
    fields: dict[str, Any]


def read_reports(
    sent: Sequence[Any], *, workspace: Workspace, origin: Origin, as_of: datetime
) -> list[RecordUsage | ReportEvent | Wrong]:
    """Translate records as sent, in order, each into a command or into its errors.

    Records dated too far after ``as_of`` are refused. Needs at most three queries, whatever the number of records:
    references are looked up all at once.
    """
    reports = [_read(one, as_of) for one in sent]
    names = _Names(workspace, [report.fields for report in reports if isinstance(report, _Report)])
    return [_command(report, origin, names) if isinstance(report, _Report) else report for report in reports]


def _read(sent: Any, as_of: datetime) -> _Report | Wrong:
    if not isinstance(sent, dict):
        kind = type(sent).__name__
        return {"": [_NULL if sent is None else f"Invalid data. Expected a dictionary, but got {kind}."]}
    fields: dict[str, Any] = {}
    wrong: Wrong = {}
    given = [name for name, value in sent.items() if value is not None and name in _READERS]
    for name in given:
        try:
            fields[name] = _READERS[name](sent[name])
        except _Refused as refusal:
            wrong[name] = [str(refusal)]
    if "occurred_at" in fields and (ahead := too_far_ahead(fields["occurred_at"], as_of=as_of)):
        wrong["occurred_at"] = [ahead]
    whose = _whose(given, wrong)
    for name in _NEEDED[whose]:
        if name not in fields and name not in wrong:
            wrong[name] = [_NULL if name in sent else _REQUIRED]
    return wrong or _Report(whose, fields)


def _whose(given: Sequence[str], wrong: Wrong) -> tuple[str, ...]:
    """Return the fields that identify the owner of the usage; add to ``wrong`` if there is none or more than one."""
    forms = [form for form in (_LINE, _BRICK, _EVENT) if form[0] in given or form[-1] in given]
    if len(forms) != 1:
        for form in forms[1:] or [_LINE]:
            wrong.setdefault(form[0], [_WHOSE])
        return ()
    if forms[0] == _EVENT:
        for name in _OF_LINES:
            if name in given:
                wrong[name] = [f"An event can't have a {name}."]
    return forms[0]


def _line(value: Any) -> int | str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Refused("A line is given by its id, an integer, or by its reference, a string.")
    # Check the range first: 1e999999999 is a short text, but an int of a billion digits.
    if not 1 <= value <= GREATEST_LINE_NUMBER or value != int(value):
        raise _Refused("There is no such line.")
    return int(value)


def is_key(value: Any) -> bool:
    """Tell whether a key as sent is valid."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT


def _text(value: Any) -> str:
    text = _up_to(LONGEST_TEXT, value)
    if not text or text.isspace():
        raise _Refused("This field may not be blank.")
    return text


def _note(value: Any) -> str:
    return _up_to(LONGEST_NOTE, value)


def _up_to(longest: int, value: Any) -> str:
    if not isinstance(value, str):
        raise _Refused("Not a valid string.")
    if len(value) > longest:
        raise _Refused(f"Ensure this field has no more than {longest} characters.")
    return value


def _quantity(value: Any) -> Decimal:
    number = plain_number(value)
    if number is None:
        raise _Refused("A valid number is required.")
    try:
        return exact_quantity(number)
    except UnableToRecord as error:
        raise _Refused(error.message) from error


def _moment(value: Any) -> datetime:
    try:
        return parse_moment(text_of(value), zone=UTC)
    except NotAMoment as error:
        raise _Refused(str(error)) from error


def _properties(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Refused("Must be an object.")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "line": _line,
    "subscription": _text,
    "brick": _text,
    "customer_alias": _text,
    "event_type": _text,
    "quantity": _quantity,
    "occurred_at": _moment,
    "key": _text,
    "note": _note,
    "properties": _properties,
}


class _Names:
    """The rows with given references and ids, loaded at once. A reference may look like an id, but not another's."""

    def __init__(self, workspace: Workspace, reports: Iterable[dict[str, Any]]) -> None:
        given: dict[str, set[str]] = {"line": set(), "subscription": set(), "brick": set()}
        for fields in reports:
            for name in given.keys() & fields.keys():
                if isinstance(fields[name], str):
                    given[name].add(fields[name])
        rows: dict[str, QuerySet[Any]] = {
            "line": Line.objects.all(),
            "subscription": Subscription.objects.all(),
            "brick": Brick.objects.all(),
        }
        self._ids: dict[str, dict[str, Any]] = {name: {} for name in rows}
        for name, references in given.items():
            if references:
                found = rows[name].filter(workspace=workspace, reference__in=references)
                known_by = "number" if name == "line" else "pk"
                self._ids[name] = dict(found.values_list("reference", known_by))

    def id_of(self, name: str, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        found = self._ids[name].get(given) or (None if name == "line" else parse_id(given))
        if found is None:
            raise _Refused(name)
        return found


def _command(report: _Report, origin: Origin, names: _Names) -> RecordUsage | ReportEvent | Wrong:
    whose, fields = report
    if whose == _EVENT:
        return ReportEvent(
            origin=origin,
            customer_alias=fields["customer_alias"],
            event_type=fields["event_type"],
            occurred_at=fields["occurred_at"],
            key=fields.get("key"),
            properties=fields.get("properties", {}),
            supersedes=False,
        )
    try:
        ids = [names.id_of(name, fields[name]) for name in whose]
    except _Refused as unknown:
        return {str(unknown): [f"There is no such {unknown}."]}
    return RecordUsage(
        origin=origin,
        address=LineByNumber(*ids) if whose == _LINE else LineByBrick(*ids),
        quantity=fields["quantity"],
        occurred_at=fields["occurred_at"],
        key=fields.get("key"),
        note=fields.get("note", ""),
        properties=fields.get("properties"),
    )
