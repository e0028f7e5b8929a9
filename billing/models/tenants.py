"""The base class of all models of a tenant's rows: saved, refreshed and deleted by workspace and id."""

from typing import Any

from django.db import models, transaction
from django.db.models import signals

from billing.tenancy import Across, across


class TenantModel(models.Model):
    """A row of a workspace, with the column ``workspace``: a ``WorkspaceKey``."""

    workspace_id: Any

    class Meta:
        abstract = True

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # Deferred columns are loaded through this method too: if it is the workspace itself, it can't be a condition.
        if "workspace_id" in self.__dict__:
            if from_queryset is None:
                from_queryset = type(self)._base_manager.db_manager(using, hints={"instance": self}).all()
            from_queryset = from_queryset.filter(workspace_id=self.workspace_id)
        super().refresh_from_db(using, fields, from_queryset)

    def _do_update(self, base_qs: Any, *arguments: Any) -> Any:
        return super()._do_update(base_qs.filter(workspace_id=self.workspace_id), *arguments)

    def _perform_unique_checks(self, unique_checks: Any) -> Any:
        key = self._meta.pk.name
        errors = super()._perform_unique_checks([check for check in unique_checks if check[1] != (key,)])  # type: ignore[misc]
        given = [check for check in unique_checks if check[1] == (key,)]
        with across(Across.GIVEN_ID):
            return errors | super()._perform_unique_checks(given)  # type: ignore[misc]

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the row; the database refuses this if other rows refer to it."""
        every: Any = type(self)._base_manager.db_manager(using)
        rows = every.filter(workspace_id=self.workspace_id, pk=self.pk)
        told: dict[str, Any] = {"sender": type(self), "instance": self, "using": rows.db, "origin": self}
        with transaction.atomic(using=rows.db, savepoint=False):
            signals.pre_delete.send(**told)
            count = rows._raw_delete(rows.db)
            signals.post_delete.send(**told)
        return count, {self._meta.label: count}
