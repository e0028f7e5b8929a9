"""Write rows that have a history, and record their values before and after, in the same transaction."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Model

from billing.actors import Actor
from billing.history.kinds import KINDS, told, values_of
from billing.models import Change, Workspace


def insert(row: Model, *, actor: Actor) -> None:
    """Insert a row and record its values."""
    row.save(force_insert=True)
    note_added([row], actor=actor)


def save(row: Model, *, actor: Actor, fields: Collection[str]) -> None:
    """Save the given fields of a stored row, and record those whose values differ from the stored ones.

    A part that belongs to another row now, such as an alias of another customer, is recorded as removed there and added
    here.
    """
    kind = KINDS[type(row)]
    is_told = not {field.name for field in kind.fields_of(type(row))}.isdisjoint(fields)
    former = type(row)._default_manager.get(pk=row.pk, **_workspace_of(row)) if is_told else None
    row.save(update_fields=fields)
    if former is None:
        return
    if kind.subject_id_of(former) != kind.subject_id_of(row):
        _note_removed(former, actor)
        note_added([row], actor=actor)
    else:
        values = _differences(values_of(former), values_of(row))
        if values := {name: pair for name, pair in values.items() if name in fields}:
            Change.objects.bulk_create([_change(row, "changed", values, actor)])


def delete(row: Model, *, actor: Actor) -> None:
    """Delete a row and record its former values."""
    _note_removed(row, actor)
    row.delete()


def note(row: Model, action: str, values: Mapping[str, tuple[Any, Any]] | None = None, *, actor: Actor) -> None:
    """Record a change that was made without ``save``; ``values`` are (before, after) by field."""
    shown = {name: [told(before), told(after)] for name, (before, after) in (values or {}).items()}
    Change.objects.bulk_create([_change(row, action, shown, actor)])


def note_added(rows: Iterable[Model], *, actor: Actor) -> None:
    """Record rows that were inserted without ``insert``."""
    Change.objects.bulk_create([_change(row, "added", _differences({}, values_of(row)), actor) for row in rows])


def _note_removed(row: Model, actor: Actor) -> None:
    Change.objects.bulk_create([_change(row, "removed", _differences(values_of(row), {}), actor)])


def _workspace_of(row: Any) -> dict[str, Any]:
    return {} if isinstance(row, Workspace) else {"workspace_id": row.workspace_id}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = [*before, *(name for name in after if name not in before)]
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _change(row: Model, action: str, values: Mapping[str, list[Any]], actor: Actor) -> Change:
    kind = KINDS[type(row)]
    return Change(
        workspace_id=kind.workspace_of(row),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        via=actor.via,
        subject=kind.subject,
        subject_id=kind.subject_id_of(row),
        part=kind.part(row),
        action=action,
        values=values,
    )
