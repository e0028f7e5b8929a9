"""Find the rows of a workspace that a request refers to: in one query, with an error for each missing one."""

from collections.abc import Mapping
from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from rest_framework import exceptions

from usage.dialects.native.fields import parse_id

Row = TypeVar("Row", bound=Model)


def find(queryset: QuerySet[Row], named: Mapping[str, str]) -> dict[str, Row]:
    """Return, for each path in a request, the row with the id or else the reference given there.

    Raises ``ValidationError`` with the paths of missing rows.
    """
    ids = {path: parse_id(text) for path, text in named.items()}
    rows = queryset.filter(Q(pk__in=filter(None, ids.values())) | Q(reference__in=named.values())) if named else ()
    by_id = {row.pk: row for row in rows}
    by_reference = {row.reference: row for row in rows}  # type: ignore[attr-defined]  # these models have one
    return _found({path: by_id.get(ids[path]) or by_reference.get(text) for path, text in named.items()})


def find_by_number(queryset: QuerySet[Row], named: Mapping[str, int]) -> dict[str, Row]:
    """Return, for each path in a request, the row with the number given there.

    Raises ``ValidationError`` with the paths of missing rows.
    """
    rows = queryset.in_bulk(set(named.values())) if named else {}
    return _found({path: rows.get(number) for path, number in named.items()})


def _found(rows: Mapping[str, Row | None]) -> dict[str, Row]:
    if missing := [path for path, row in rows.items() if row is None]:
        raise exceptions.ValidationError({path: ["Not found in this workspace."] for path in missing})
    return {path: row for path, row in rows.items() if row is not None}
