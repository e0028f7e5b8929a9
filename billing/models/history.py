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
    """An entry of the history is neither changed nor deleted."""


class ChangeQuerySet(models.QuerySet["Change"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class Change(TenantModel):
    """One change of a row that people or keys may change, in the transaction that made it."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    changed_at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor_id = models.BigIntegerField(null=True)
    # As it was then: people and keys get other names.
    actor_name = models.CharField(max_length=200)
    # From where they acted: the panel, a dialect, a command or a schedule.
    via = models.CharField(max_length=20)
    # On whose page it is shown, and of which of its parts it tells: a line is a part of its subscription.
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
