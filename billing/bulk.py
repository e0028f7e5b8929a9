"""Many rows into a table at once: COPY on PostgreSQL, ``bulk_create`` elsewhere. Constraints hold all the same."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.expressions import DatabaseDefault

from billing.exact import ExactDecimalField

Row = TypeVar("Row", bound=models.Model)


def insert(rows: Iterable[Row]) -> list[Row]:
    """Insert unsaved rows of one model and return them with their ids. Columns left to the database get its default.

    Inside the caller's transaction. Raises ``IntegrityError`` and what else the database refuses.
    """
    rows = list(rows)
    if not rows:
        return rows
    model = type(rows[0])
    if connection.vendor != "postgresql":
        return model._default_manager.bulk_create(rows)
    _draw_ids(model, rows)
    fields = [
        field
        for field in model._meta.concrete_fields
        if not isinstance(getattr(rows[0], field.attname), DatabaseDefault)
    ]
    values = [(field.attname, _preparation(field)) for field in fields]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        raw = cursor.cursor if hasattr(cursor, "cursor") else cursor
        with raw.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(
                    [
                        prepare(getattr(row, name)) if prepare else getattr(row, name)
                        for name, prepare in values
                    ]
                )
    return rows


def _draw_ids(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, len(rows)],
        )
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = pk


def _preparation(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    # The driver writes ints, texts, moments and UUIDs as they are; these two check and encode their values.
    if isinstance(field, (ExactDecimalField, models.JSONField)):
        return lambda value: field.get_db_prep_save(value, connection)
    return None
