"""Record completed scheduled tasks, by which monitoring checks that schedule, queue and workers are alive."""

from datetime import datetime

from usage.models import ScheduleTurn


def note_turn(*, task: str, as_of: datetime) -> None:
    """Record that a scheduled task completed at ``as_of``."""
    ScheduleTurn(task=task, ended_at=as_of).save()


def last_turn(*, task: str) -> datetime | None:
    """Return the time when a scheduled task last completed; None if it never did."""
    return ScheduleTurn.objects.filter(task=task).values_list("ended_at", flat=True).first()
