"""One name, one owner: whoever gives a thing a name that clients may call it by, gives it here.

Clients name a customer by an alias, its id or its reference; a line by its reference or number, or by the id or
reference of its subscription; a brick by its id or reference. Within each of the three a name names one thing at a
time, whichever of these it is: the database refuses a second. A name that was taken back may be given again.
"""

import re
from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from billing.models import Line, Name, Subscription

# How often a name is tried for that its owner takes back at the same time.
ATTEMPTS = 10
TAKEN = {
    Name.Kind.CUSTOMER: "Another customer has this name: as its id, its reference or an alias.",
    Name.Kind.LINE: "Another line or subscription has this name: as its number, its id or its reference.",
    Name.Kind.BRICK: "Another brick has this name: as its id or its reference.",
}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@transaction.atomic
def give(*, workspace_id: int, kind: Name.Kind, owner: str, names: Mapping[str, str]) -> None:
    """Give a thing names, each with the field that it stands in; those that it has already stay.

    Raises ``ValidationError`` of the code ``unique`` naming the fields whose names are another's.
    """
    wanted = _by_spelling(names)
    rows = [Name(workspace_id=workspace_id, kind=kind, text=text, owner=owner) for text in sorted(wanted)]
    for _ in range(ATTEMPTS):
        # A name that another transaction is giving or taking back is waited for, here and where it is read.
        Name.objects.bulk_create(rows, ignore_conflicts=True)
        owners = dict(_locked(workspace_id, kind, wanted).values_list("text", "owner"))
        if len(owners) == len(wanted):
            break
    _refuse(kind, owner, owners, wanted)


def check(*, workspace_id: int, kind: Name.Kind, owner: str, names: Mapping[str, str]) -> None:
    """Raise as ``give`` would now, and change nothing."""
    wanted = _by_spelling(names)
    given = Name.objects.filter(workspace_id=workspace_id, kind=kind, text__in=wanted)
    _refuse(kind, owner, dict(given.values_list("text", "owner")), wanted)


def lock(*, workspace_id: int, kind: Name.Kind, names: Iterable[str]) -> None:
    """Keep names as they are until commit: before it is found out whether their owner has them by another right."""
    list(_locked(workspace_id, kind, {_spelled(name) for name in names}).values_list("text"))


def take_back(*, workspace_id: int, kind: Name.Kind, owner: str, names: Iterable[str], kept: Iterable[str]) -> None:
    """Take names from a thing, but for those ``kept`` that it still has by another right."""
    gone = {_spelled(name) for name in names} - {_spelled(name) for name in kept}
    Name.objects.filter(workspace_id=workspace_id, kind=kind, owner=owner, text__in=gone).delete()


def give_agreed(row: Line | Subscription) -> None:
    """Give a line or a subscription its names; raise as ``give`` does."""
    fields = {str(row.number): "number"} if isinstance(row, Line) else {str(row.pk): "id"}
    if row.reference:
        fields[row.reference] = "reference"
    give(workspace_id=row.workspace_id, kind=Name.Kind.LINE, owner=_owner(row), names=fields)


def free_reference(row: Line | Subscription) -> None:
    """Take a line's or a subscription's reference away, without saving the row: it may be given again."""
    former, row.reference = row.reference, None
    if former:
        own = str(row.number if isinstance(row, Line) else row.pk)
        take_back(workspace_id=row.workspace_id, kind=Name.Kind.LINE, owner=_owner(row), names=[former], kept=[own])


def _owner(row: Line | Subscription) -> str:
    return f"line {row.number}" if isinstance(row, Line) else str(row.pk)


def _by_spelling(names: Mapping[str, str]) -> dict[str, str]:
    return {_spelled(name): field for name, field in names.items()}


def _spelled(name: str) -> str:
    """Return a name as it is compared: a UUID is the same however its letters are written."""
    return name.lower() if _UUID.fullmatch(name) else name


def _locked(workspace_id: int, kind: Name.Kind, texts: Iterable[str]) -> QuerySet[Name]:
    given = Name.objects.filter(workspace_id=workspace_id, kind=kind, text__in=list(texts))
    return given.select_for_update().order_by("text")


def _refuse(kind: Name.Kind, owner: str, owners: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    fields = {field for text, field in wanted.items() if owners.get(text, owner) != owner}
    if fields:
        raise ValidationError({field: ValidationError(TAKEN[kind], code="unique") for field in sorted(fields)})
