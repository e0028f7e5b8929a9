"""When the schedule's tasks last ran through: whoever watches over the installation sees by it that they do."""

from datetime import datetime

from usage.models import ScheduleTurn


def note_turn(*, task: str, as_of: datetime) -> None:
    """Note that a task of the schedule ran through."""
    ScheduleTurn(task=task, ended_at=as_of).save()


def last_turn(*, task: str) -> datetime | None:
    """Return when a task of the schedule last ran through; None before it ever did."""
    return ScheduleTurn.objects.filter(task=task).values_list("ended_at", flat=True).first()
