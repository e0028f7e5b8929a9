"""Add, change and archive bricks, the products that are sold."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing import history, names
from billing.actors import Actor
from billing.aggregations import OF_BRICKS
from billing.catalog.event_rules import EventTerms, locked_brick, set_event_rule
from billing.models import Brick, Name, Workspace

NO_RULE = {"event_type": "A brick that counts events requires an event rule."}


@transaction.atomic
def create_brick(
    *,
    workspace: Workspace,
    name: str,
    aggregation: str,
    unit_label: str = "units",
    description: str = "",
    reference: str | None = None,
    id: uuid.UUID | None = None,  # noqa: A002  (the field's own name)
    rule: EventTerms | None = None,
    actor: Actor,
    as_of: datetime,
) -> Brick:
    """Add a brick, with an event rule if it counts events; raise ``ValidationError`` naming the field.

    ``id`` and ``reference`` adopt identifiers that clients of another system already use.
    """
    brick = Brick(
        id=id or uuid.uuid4(),
        workspace=workspace,
        name=name,
        aggregation=aggregation,
        unit_label=unit_label,
        description=description,
        reference=reference or None,
    )
    brick.full_clean(validate_constraints=False)
    if brick.reference and Brick.objects.filter(workspace=workspace, reference=brick.reference).exists():
        raise ValidationError(
            {"reference": ValidationError("A brick with this reference already exists.", code="unique")}
        )
    if brick.metering.takes_events and rule is None:
        raise ValidationError(NO_RULE)
    history.insert(brick, actor=actor)
    _give_names(brick, {str(brick.pk): "id"} | ({brick.reference: "reference"} if brick.reference else {}))
    if rule is not None:
        set_event_rule(brick=brick, rule=rule, actor=actor, as_of=as_of)
    return brick


@transaction.atomic
def update_brick(
    *,
    brick: Brick,
    name: str | None = None,
    unit_label: str | None = None,
    description: str | None = None,
    reference: str | None = None,
    aggregation: str | None = None,
    rule: EventTerms | None = None,
    actor: Actor,
    as_of: datetime,
) -> Brick:
    """Change the given values of a brick; an empty reference removes it. Raises ``ValidationError`` naming the field.

    Issued documents keep the former name. A rule is replaced by ``set_event_rule``. The aggregation is fixed once a
    subscription has a line of the brick.
    """
    brick = locked_brick(brick)
    if aggregation is not None and aggregation != brick.aggregation:
        _change_aggregation(brick, aggregation, has_rule=rule is not None, as_of=as_of)
    former = brick.reference
    changes = {"name": name, "unit_label": unit_label, "description": description, "reference": reference}
    as_before = {field for field, value in changes.items() if value is None or value == getattr(brick, field)}
    for field_name, value in changes.items():
        if value is not None:
            setattr(brick, field_name, value)
    brick.reference = brick.reference or None
    _save_brick(brick, [*changes, "aggregation"], as_before, actor)
    if brick.reference != former:
        _rename(brick, former)
    if rule is not None:
        set_event_rule(brick=brick, rule=rule, actor=actor, as_of=as_of)
    return brick


def _change_aggregation(brick: Brick, aggregation: str, *, has_rule: bool, as_of: datetime) -> None:
    if brick.lines.exists():
        raise ValidationError({"aggregation": "The aggregation is fixed: subscriptions have lines of this brick."})
    if aggregation in OF_BRICKS and OF_BRICKS[aggregation].takes_events and not has_rule:
        raise ValidationError(NO_RULE)
    brick.event_rules.filter(replaced_at=None).update(replaced_at=as_of)
    brick.aggregation = aggregation


def _save_brick(brick: Brick, changes: Collection[str], as_before: Collection[str], actor: Actor) -> None:
    brick.full_clean(exclude=as_before, validate_constraints=False)
    try:
        with transaction.atomic():
            history.save(brick, fields=changes, actor=actor)
    except IntegrityError as error:
        taken = "id" if brick.reference is None else "reference"
        refusal = ValidationError(f"A brick with this {taken} already exists.", code="unique")
        raise ValidationError({taken: refusal}) from error


def _give_names(brick: Brick, fields: dict[str, str]) -> None:
    names.give(workspace_id=brick.workspace_id, kind=Name.Kind.BRICK, owner=str(brick.pk), names=fields)


def _rename(brick: Brick, former: str | None) -> None:
    of_brick: dict[str, Any] = {"workspace_id": brick.workspace_id, "kind": Name.Kind.BRICK, "owner": str(brick.pk)}
    names.take_back(**of_brick, names=[former] if former else [], kept=[str(brick.pk)])
    if brick.reference:
        _give_names(brick, {brick.reference: "reference"})


@transaction.atomic
def archive_brick(*, brick: Brick, actor: Actor, as_of: datetime) -> Brick:
    """Archive a brick: no further lines of it can be added; existing lines continue."""
    sold = Brick.objects.filter(workspace_id=brick.workspace_id, pk=brick.pk, archived_at=None)
    if sold.update(archived_at=as_of):
        history.note(brick, "archived", actor=actor)
    brick.refresh_from_db(fields=["archived_at"])
    return brick
