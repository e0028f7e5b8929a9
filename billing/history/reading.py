"""The history of one row."""

from typing import Any

from django.db.models import Model, QuerySet

from billing.history.kinds import KINDS
from billing.models import Change


def changes_of(row: Model) -> QuerySet[Change]:
    """Return what was changed of a row and its parts, the newest first; nothing of what has no history here."""
    kind = KINDS.get(type(row))
    if kind is None:
        return Change.objects.none()
    subject: Any = {"subject": kind.subject, "subject_id": str(row.pk)}
    return Change.objects.filter(workspace_id=kind.workspace_of(row), **subject).order_by("-id")
