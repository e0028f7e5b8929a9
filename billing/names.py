"""Assign and release the names by which clients identify customers, lines and bricks: one owner per name.

A customer is named by an alias, its id or its reference; a line by its reference or number, or by the id or reference
of its subscription; a brick by its id or reference. Within each of the three kinds a name belongs to one object at a
time; the database refuses a second one. A released name can be assigned again. No other module writes names.
"""

import re
import uuid
from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from billing.models import Line, Name, Subscription

# Attempts to assign a name whose owner releases it at the same time.
ATTEMPTS = 10
TAKEN = {
    Name.Kind.CUSTOMER: "Another customer has this name: as its id, its reference or an alias.",
    Name.Kind.LINE: "Another line or subscription has this name: as its number, its id or its reference.",
    Name.Kind.BRICK: "Another brick has this name: as its id or its reference.",
}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@transaction.atomic
def give(*, workspace_id: int, kind: Name.Kind, owner: str, names: Mapping[str, str]) -> None:
    """Assign names, each with its field, to an owner; names that it already has stay.

    Raises ``ValidationError`` with the code ``unique``, naming the fields whose names belong to another owner.
    """
    wanted = _by_spelling(names)
    rows = [Name(workspace_id=workspace_id, kind=kind, text=text, owner=owner) for text in sorted(wanted)]
    for _ in range(ATTEMPTS):
        # Both statements wait for a transaction that is assigning or releasing the same name.
        Name.objects.bulk_create(rows, ignore_conflicts=True)
        owners = dict(_locked(workspace_id, kind, wanted).values_list("text", "owner"))
        if len(owners) == len(wanted):
            break
    _refuse(kind, owner, owners, wanted)


def check(*, workspace_id: int, kind: Name.Kind, owner: str, names: Mapping[str, str]) -> None:
    """Raise the errors that ``give`` would raise now; change nothing."""
    wanted = _by_spelling(names)
    given = Name.objects.filter(workspace_id=workspace_id, kind=kind, text__in=wanted)
    _refuse(kind, owner, dict(given.values_list("text", "owner")), wanted)


def lock(*, workspace_id: int, kind: Name.Kind, names: Iterable[str]) -> None:
    """Lock names until commit, before their owner's other claims to them are read."""
    list(_locked(workspace_id, kind, {_spelled(name) for name in names}).values_list("text"))


def take_back(*, workspace_id: int, kind: Name.Kind, owner: str, names: Iterable[str], kept: Iterable[str]) -> None:
    """Release names of an owner, except those ``kept``, to which it has another claim."""
    gone = {_spelled(name) for name in names} - {_spelled(name) for name in kept}
    Name.objects.filter(workspace_id=workspace_id, kind=kind, owner=owner, text__in=gone).delete()


def give_agreed(row: Line | Subscription) -> None:
    """Assign a line or a subscription its names; raise as ``give`` does."""
    fields = {str(row.number): "number"} if isinstance(row, Line) else {str(row.pk): "id"}
    if row.reference:
        fields[row.reference] = "reference"
    give(workspace_id=row.workspace_id, kind=Name.Kind.LINE, owner=_owner(row), names=fields)


def free_reference(row: Line | Subscription) -> None:
    """Release the reference of a line or subscription, so that it can be assigned again; the row is not saved."""
    former, row.reference = row.reference, None
    if former:
        own = str(row.number if isinstance(row, Line) else row.pk)
        take_back(workspace_id=row.workspace_id, kind=Name.Kind.LINE, owner=_owner(row), names=[former], kept=[own])


def _owner(row: Line | Subscription) -> str:
    return f"line {row.number}" if isinstance(row, Line) else str(row.pk)


def _by_spelling(names: Mapping[str, str]) -> dict[str, str]:
    return {_spelled(name): field for name, field in names.items()}


def parse_uuid(name: str) -> uuid.UUID | None:
    """Return the UUID that a name represents with hyphens, in either case; None for any other text.

    Bare digits, braces and URNs are not accepted: such a text may be the reference of something else.
    """
    return uuid.UUID(name) if _UUID.fullmatch(name) else None


def parse_whole(text: str, *, digits: int = 18) -> int | None:
    """Return the whole number that a text of the digits 0 to 9 alone spells; None for any other or a longer text.

    The default keeps it within the ids of a database. Python would also read signs, blanks and other scripts' digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def _spelled(name: str) -> str:
    """Return a name in the form for comparison: a UUID in lower case."""
    return name.lower() if parse_uuid(name) else name


def _locked(workspace_id: int, kind: Name.Kind, texts: Iterable[str]) -> QuerySet[Name]:
    given = Name.objects.filter(workspace_id=workspace_id, kind=kind, text__in=list(texts))
    return given.select_for_update().order_by("text")


def _refuse(kind: Name.Kind, owner: str, owners: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    fields = {field for text, field in wanted.items() if owners.get(text, owner) != owner}
    if fields:
        raise ValidationError({field: ValidationError(TAKEN[kind], code="unique") for field in sorted(fields)})
