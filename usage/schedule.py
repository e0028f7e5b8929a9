"""Completed turns of the scheduled tasks: monitoring sees by them that schedule, queue and workers are alive."""

from datetime import datetime

from usage.models import ScheduleTurn


def note_turn(*, task: str, as_of: datetime) -> None:
    """Note that a scheduled task has completed at ``as_of``."""
    ScheduleTurn(task=task, ended_at=as_of).save()


def last_turn(*, task: str) -> datetime | None:
    """Return when a scheduled task last completed; None before its first time."""
    return ScheduleTurn.objects.filter(task=task).values_list("ended_at", flat=True).first()
