"""Columns of a tenant's rows: the workspace, and references to rows of the same workspace.

Django's own relations look a row up by its ``id`` alone. These join, look up and prefetch by workspace as well, so a
database that is distributed by workspace finds each row on one server.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor, ReverseManyToOneDescriptor
from django.db.models.lookups import Exact
from django.utils.functional import cached_property


def of_workspaces(instances: Iterable[Any]) -> dict[str, Any]:
    """Return the filter by the workspaces of some rows, usually of one."""
    found = {instance.workspace_id for instance in instances}
    return {"workspace_id": found.pop()} if len(found) == 1 else {"workspace_id__in": sorted(found)}


class WorkspaceKey(models.ForeignKey):
    """The column with the workspace of a tenant's row, the first of the primary key on PostgreSQL."""


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
                # The manager's rows, not those of the instance that it was created for.
                (queryset,) = querysets or [super(by_id, self).get_queryset()]
                return super().get_prefetch_querysets(instances, [queryset.filter(**of_workspaces(instances))])

        return RelatedManager


class TenantKey(models.ForeignKey):
    """A reference to a row of the same workspace."""

    forward_related_accessor_class = _Referenced
    related_accessor_class = _Referring

    def get_extra_descriptor_filter(self, instance: Any) -> dict[str, Any]:
        return of_workspaces([instance])

    def get_extra_restriction(self, alias: str, related_alias: str) -> Any:
        """Return the condition that ``alias`` and ``related_alias``, which refers to it, have the same workspace."""
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
