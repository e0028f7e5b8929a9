"""Record the values of a saved or deleted row before and after, in the same transaction."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save

from billing.history.actors import current
from billing.history.kinds import KINDS, told, values_of
from billing.models import Change, Workspace

# The attribute of a row being saved that keeps the row as it was.
_BEFORE = "_row_before"


def watch() -> None:
    """Record from now on each row that has a history when it is saved or deleted."""
    for model in KINDS:
        pre_save.connect(_before_saving, sender=model, dispatch_uid="billing.history")
        post_save.connect(_after_saving, sender=model, dispatch_uid="billing.history")
        post_delete.connect(_after_deleting, sender=model, dispatch_uid="billing.history")


def note(row: Model, action: str, values: Mapping[str, tuple[Any, Any]] | None = None) -> None:
    """Record a change that saves no row; ``values`` are (before, after) by field."""
    shown = {name: [told(before), told(after)] for name, (before, after) in (values or {}).items()}
    Change.objects.bulk_create([_change(row, action, shown)])


def note_added(rows: Iterable[Model]) -> None:
    """Record that rows were added in bulk, which sends no signals."""
    Change.objects.bulk_create([_change(row, "added", _differences({}, values_of(row))) for row in rows])


def _before_saving(*, sender: type[Model], instance: Model, update_fields: Any, **_: Any) -> None:
    instance.__dict__.pop(_BEFORE, None)
    named = {field.name for field in KINDS[sender].fields_of(sender)}
    if instance._state.adding or (update_fields is not None and not named & set(update_fields)):
        return
    row = sender._default_manager.filter(pk=instance.pk, **_workspace_of(instance)).first()
    if row is not None:
        instance.__dict__[_BEFORE] = row


def _after_saving(*, instance: Model, created: bool, update_fields: Any, **_: Any) -> None:
    former = instance.__dict__.pop(_BEFORE, None)
    if created:
        note_added([instance])
    elif former is not None and _has_moved(former, instance):
        _note_removed(former)
        note_added([instance])
    elif former is not None:
        values = _differences(values_of(former), values_of(instance))
        if update_fields is not None:
            values = {name: change for name, change in values.items() if name in update_fields}
        if values:
            Change.objects.bulk_create([_change(instance, "changed", values)])


def _workspace_of(row: Any) -> dict[str, Any]:
    return {} if isinstance(row, Workspace) else {"workspace_id": row.workspace_id}


def _has_moved(former: Model, row: Model) -> bool:
    """Tell whether a part belongs to another row now: an alias may be given to another customer."""
    kind = KINDS[type(row)]
    return kind.subject_id_of(former) != kind.subject_id_of(row)


def _after_deleting(*, instance: Model, **_: Any) -> None:
    _note_removed(instance)


def _note_removed(row: Model) -> None:
    Change.objects.bulk_create([_change(row, "removed", _differences(values_of(row), {}))])


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = [*before, *(name for name in after if name not in before)]
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _change(row: Model, action: str, values: Mapping[str, list[Any]]) -> Change:
    kind, actor = KINDS[type(row)], current()
    return Change(
        workspace_id=kind.workspace_of(row),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        subject=kind.subject,
        subject_id=kind.subject_id_of(row),
        part=kind.part(row),
        action=action,
        values=values,
    )
