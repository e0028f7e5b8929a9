"""The history of changes. Written by ``billing.history`` only, and never changed again."""

from typing import Any, NoReturn

from django.db import models
from django.db.models.functions import Now

from billing.actors import ActorKind
from billing.models.parties import Workspace
from billing.models.tenants import TenantModel
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import WorkspaceKey


class AppendOnly(Exception):
    """An attempt to change or delete an entry of the history."""


class ChangeQuerySet(models.QuerySet["Change"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class Change(TenantModel):
    """One change of a row by a user or an API key, written in the transaction of the change."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    changed_at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor_id = models.BigIntegerField(null=True)
    # The name at that time: users and keys may be renamed.
    actor_name = models.CharField(max_length=200)
    # The source of the change: the panel, a dialect, a command or a schedule.
    via = models.CharField(max_length=20)
    # The row on whose page it is shown, and the changed part of it: a line is a part of its subscription.
    subject = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=36)
    part = models.CharField(max_length=300, blank=True)
    action = models.CharField(max_length=20)
    # Field -> [before, after].
    values = ExactJSONField()

    objects = ChangeQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=["workspace", "subject", "subject_id", "id"], name="billing_change_by_subject"),)

    def __str__(self) -> str:
        return f"{self.action} {self.part or self.subject}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly
