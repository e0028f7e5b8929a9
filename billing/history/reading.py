"""Queries of the history of a row."""

from typing import Any

from django.db.models import F, Model, QuerySet, RowRange, TextField, Window
from django.db.models.functions import Cast, Coalesce, Length

from billing.history.kinds import KINDS
from billing.models import Change
from billing.storage.exact import WholeTotal


def is_kept_of(model: type[Model]) -> bool:
    """Tell whether changes of a model's rows are recorded, for their own page or that of their owner."""
    return model in KINDS


def changes_of(row: Model) -> QuerySet[Change]:
    """Return the changes of a row and its parts, the newest first; none for a row without a history."""
    kind = KINDS.get(type(row))
    if kind is None:
        return Change.objects.none()
    subject: Any = {"subject": kind.subject, "subject_id": str(row.pk)}
    return Change.objects.filter(workspace_id=kind.workspace_of(row), **subject).order_by("-id")


def newest_of(row: Model, *, most: int, most_letters: int) -> QuerySet[Change]:
    """Return the newest changes of a row: at most ``most``, up to the one with which they reach ``most_letters``."""
    kind = KINDS.get(type(row))
    if kind is None:
        return Change.objects.none()
    of_row = changes_of(row).values("pk")[:most]
    newest = Change.objects.filter(workspace_id=kind.workspace_of(row), pk__in=of_row).order_by("-id")
    letters = Length(Cast("values", TextField()))
    before = Window(WholeTotal(letters), order_by=F("id").desc(), frame=RowRange(end=-1))
    return newest.annotate(letters_before=Coalesce(before, 0)).filter(letters_before__lt=most_letters)
