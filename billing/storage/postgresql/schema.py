"""Create the tables of tenants on PostgreSQL with the workspace in their primary and foreign keys.

Django's ``id`` stays the key of the model: the admin and foreign keys don't support composite keys. In the database the
primary key is ``(workspace_id, id)`` and a foreign key is ``(workspace_id, x_id)``, so none can refer to another
tenant's row, and the tables can be distributed by workspace.
"""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.ddl_references import Columns, Statement
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

from billing.tenancy.keys import TenantKey, WorkspaceKey

if TYPE_CHECKING:
    from billing.storage.postgresql.base import DatabaseWrapper

WORKSPACE = "workspace_id"


def is_of_a_workspace(model: Any) -> bool:
    """Tell whether a model's rows belong to a workspace and have an id of their own."""
    return any(isinstance(field, WorkspaceKey) for field in model._meta.local_fields)


class SchemaEditor(DatabaseSchemaEditor):
    """Schema editor that runs migrations without a time limit, and adds the workspace to keys."""

    connection: "DatabaseWrapper"

    def __enter__(self) -> "SchemaEditor":
        super().__enter__()
        if not self.collect_sql:
            self.connection.limit_statements(0, for_session=not self.atomic_migration)
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        if not self.collect_sql and not self.atomic_migration and raised[0] is None:
            self.connection.limit_statements(None, for_session=True)

    def create_model(self, model: type[models.Model]) -> None:
        super().create_model(model)
        if is_of_a_workspace(model):
            name = f"{model._meta.db_table}_pkey"
            columns = Columns(model._meta.db_table, [WORKSPACE, str(model._meta.pk.column)], self.quote_name)
            table = self.quote_name(model._meta.db_table)
            self.execute(
                Statement(self.sql_create_pk, table=table, name=self.quote_name(name), columns=columns), params=None
            )

    def column_sql(self, model: type[models.Model], field: Any, include_default: bool = False) -> Any:
        definition, parameters = super().column_sql(model, field, include_default)
        if definition is not None and field.primary_key and is_of_a_workspace(model):
            # UUIDs may be given, and so need a unique constraint; generated ids are unique by their sequence.
            of_its_own = "UNIQUE" if isinstance(field, models.UUIDField) else ""
            definition = definition.replace("PRIMARY KEY", of_its_own).rstrip()
        return definition, parameters

    def add_field(self, model: type[models.Model], field: Any) -> None:
        # Django would write the reference into the column's definition, with the id only.
        inline = self.sql_create_column_inline_fk
        self.sql_create_column_inline_fk = ""
        try:
            super().add_field(model, field)
        finally:
            self.sql_create_column_inline_fk = inline

    def _create_fk_sql(self, model: type[models.Model], field: Any, suffix: str) -> Any:
        statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]  # the stubs leave it out
        if isinstance(field, TenantKey):
            here, there = statement.parts["table"].table, statement.parts["to_table"].table
            statement.parts["column"] = Columns(here, [WORKSPACE, field.column], self.quote_name)
            statement.parts["to_column"] = Columns(there, [WORKSPACE, str(field.target_field.column)], self.quote_name)
        return statement
