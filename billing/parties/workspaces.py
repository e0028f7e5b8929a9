"""Create workspaces, and change their settings and allowed origins."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing import history
from billing.actors import Actor
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.models import AllowedOrigin, NumberSeries, Workspace


@transaction.atomic
def create_workspace(
    *,
    code: str,
    name: str,
    time_zone: str,
    currency: str,
    closing: str = Workspace.Closing.MANUAL,
    closing_delay_hours: int = 1,
    number_format: str = NumberFormat.POINT,
    day_format: str = DayFormat.ISO,
    actor: Actor,
) -> Workspace:
    """Create a live workspace with its test-mode twin and their number series; return the live one.

    ``time_zone`` is an IANA name, ``currency`` an ISO 4217 code; the formats are those of the panel's input.
    Raises ``ValidationError`` naming the field, also for a code that is taken.
    """
    shared: dict[str, Any] = {
        "code": code,
        "name": name,
        "time_zone": time_zone,
        "currency": currency,
        "closing_delay_hours": closing_delay_hours,
        "number_format": number_format,
        "day_format": day_format,
    }
    live = Workspace(closing=closing, **shared)
    live.full_clean()
    history.insert(live, actor=actor)
    twin = Workspace(mode=Workspace.Mode.TEST, live=live, **shared)
    history.insert(twin, actor=actor)
    NumberSeries.objects.bulk_create(
        NumberSeries(workspace=workspace, kind=kind) for workspace in (live, twin) for kind in NumberSeries.Kind
    )
    return live


@transaction.atomic
def update_workspace(
    *,
    workspace: Workspace,
    name: str | None = None,
    time_zone: str | None = None,
    currency: str | None = None,
    closing: str | None = None,
    closing_delay_hours: int | None = None,
    number_format: str | None = None,
    day_format: str | None = None,
    actor: Actor,
) -> Workspace:
    """Change the given values of a workspace, not of its twin; raise ``ValidationError`` naming the field.

    The time zone is fixed once there are subscriptions: their periods start at midnight in it. The currency is a
    default: existing subscriptions and prices keep theirs.
    """
    workspace = Workspace.objects.select_for_update(of=("self",), no_key=True).get(pk=workspace.pk)
    changes = {
        "name": name,
        "time_zone": time_zone,
        "currency": currency,
        "closing": closing,
        "closing_delay_hours": closing_delay_hours,
        "number_format": number_format,
        "day_format": day_format,
    }
    touched = [field for field, value in changes.items() if value is not None and value != getattr(workspace, field)]
    if "time_zone" in touched and workspace.subscriptions.exists():
        raise ValidationError({"time_zone": "The time zone is fixed once there are subscriptions."})
    for field in touched:
        setattr(workspace, field, changes[field])
    workspace.clean_fields(exclude=[column.name for column in Workspace._meta.fields if column.name not in touched])
    if touched:
        history.save(workspace, fields=touched, actor=actor)
    return workspace


@transaction.atomic
def add_origin(*, workspace: Workspace, origin: str, actor: Actor) -> AllowedOrigin:
    """Allow the pages of an origin, such as ``https://app.example.com``, to call the APIs with a workspace's keys.

    This applies to the workspace and its twin. Raises ``ValidationError`` naming ``origin``, also if called for a twin.
    """
    if workspace.mode != Workspace.Mode.LIVE:
        raise ValidationError({"origin": "A test workspace uses the origins of its live workspace."})
    row = AllowedOrigin(workspace=workspace, origin=origin)
    with _checked(row):
        history.insert(row, actor=actor)
    return row


@transaction.atomic
def update_origin(*, allowed: AllowedOrigin, origin: str, actor: Actor) -> AllowedOrigin:
    """Replace an allowed origin; raise ``ValidationError`` naming ``origin``."""
    rows = AllowedOrigin.objects.select_for_update(no_key=True)
    row = rows.get(workspace_id=allowed.workspace_id, pk=allowed.pk)
    if row.origin != origin:
        row.origin = origin
        with _checked(row):
            history.save(row, fields=["origin"], actor=actor)
    return row


@transaction.atomic
def remove_origin(*, allowed: AllowedOrigin, actor: Actor) -> None:
    """Remove an allowed origin; if it was already removed, do nothing."""
    row = AllowedOrigin.objects.filter(workspace_id=allowed.workspace_id, pk=allowed.pk).first()
    if row is not None:
        history.delete(row, actor=actor)


@contextmanager
def _checked(row: AllowedOrigin) -> Iterator[None]:
    """Validate an origin, and refuse one that the workspace already has when the block writes it."""
    row.clean_fields(exclude=["workspace"])
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ValidationError({"origin": ValidationError("This origin is already allowed.", code="unique")}) from error
