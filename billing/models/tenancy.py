"""Rows of a tenant: every statement on them names their workspace, and no reference leads out of it.

Django's own relations look a row up by its ``id`` alone. Those of this module join, look up, prefetch, save and delete
by workspace as well, so that a database whose tables are spread by workspace finds each row on one server.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor, ReverseManyToOneDescriptor
from django.db.models.lookups import Exact
from django.utils.functional import cached_property

from billing.tenancy import Across, across


def of_workspaces(instances: Iterable[Any]) -> dict[str, Any]:
    """Return the filter of the workspaces of some rows; mostly they are of one."""
    found = {instance.workspace_id for instance in instances}
    return {"workspace_id": found.pop()} if len(found) == 1 else {"workspace_id__in": sorted(found)}


class WorkspaceKey(models.ForeignKey):
    """The column that makes a table a tenant's, and the first of its primary key where the database keeps that."""

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.ForeignKey", arguments, options


class _Referenced(ForwardManyToOneDescriptor):
    def get_prefetch_querysets(self, instances: list[Any], querysets: Any = None) -> Any:
        (queryset,) = querysets or [self.get_queryset(instance=instances[0])]
        return super().get_prefetch_querysets(instances, [queryset.filter(**of_workspaces(instances))])


class _Referring(ReverseManyToOneDescriptor):
    field: models.ForeignKey

    @cached_property
    def related_manager_cls(self) -> Any:
        by_id: Any = super().related_manager_cls

        class RelatedManager(by_id):
            def __init__(self, instance: Any) -> None:
                super().__init__(instance)
                self.core_filters |= of_workspaces([instance])

            def get_prefetch_querysets(self, instances: Sequence[Any], querysets: Any = None) -> Any:
                # The manager's own rows, not those of the instance that it was made for.
                (queryset,) = querysets or [super(by_id, self).get_queryset()]
                return super().get_prefetch_querysets(instances, [queryset.filter(**of_workspaces(instances))])

        return RelatedManager


class TenantKey(models.ForeignKey):
    """A reference to a row of the same workspace."""

    forward_related_accessor_class = _Referenced
    related_accessor_class = _Referring

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.ForeignKey", arguments, options

    def get_extra_descriptor_filter(self, instance: Any) -> dict[str, Any]:
        return of_workspaces([instance])

    def get_extra_restriction(self, alias: str, related_alias: str) -> Any:
        """Return that the row ``alias``, which is referred to, and ``related_alias``, which refers, are of one."""
        models_of: tuple[Any, Any] = (self.related_model, self.model)
        there, here = (model._meta.get_field("workspace") for model in models_of)
        return Exact(there.get_col(alias), here.get_col(related_alias))

    def validate(self, value: Any, model_instance: Any) -> None:
        # Django's own would look for the row in all workspaces.
        if self.remote_field.parent_link or value is None or model_instance is None:
            super().validate(value, model_instance)
            return
        models.Field.validate(self, value, model_instance)
        using = router.db_for_read(self.remote_field.model, instance=model_instance)
        rows = self.remote_field.model._base_manager.using(using).filter(
            **{str(self.remote_field.field_name): value}, **of_workspaces([model_instance])
        )
        if not rows.complex_filter(self.get_limit_choices_to()).exists():
            raise ValidationError(
                self.error_messages["invalid"],
                code="invalid",
                params={
                    "model": self.remote_field.model._meta.verbose_name,
                    "pk": value,
                    "field": self.remote_field.field_name,
                    "value": value,
                },
            )


class TenantModel(models.Model):
    """A row of a workspace, with the column ``workspace``: a ``WorkspaceKey``."""

    workspace_id: Any

    class Meta:
        abstract = True

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # A deferred column is read through here too: where it is the workspace itself, nothing can name it.
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
        """Delete the row; the database refuses where others refer to it."""
        every: Any = type(self)._base_manager.db_manager(using)
        rows = every.filter(workspace_id=self.workspace_id, pk=self.pk)
        count = rows._raw_delete(rows.db)
        return count, {self._meta.label: count}
