"""Insert many rows into a table at once: COPY on PostgreSQL, ``bulk_create`` elsewhere. All constraints hold."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection, connections, models

from billing.storage.exact import ExactDecimalField


def insert(*, model: type[models.Model], rows: Iterable[dict[str, Any]]) -> list[int]:
    """Insert rows, each with the same columns by their ``attname``, and return their ids in order.

    An omitted column gets the database's default, and so must have one. The rows are part of the caller's transaction.
    Raises ``IntegrityError`` and other errors of the database, ``ValueError`` for a decimal that does not fit its
    column.
    """
    rows = list(rows)
    if not rows:
        return []
    if connection.vendor != "postgresql":
        return [row.pk for row in model._default_manager.bulk_create(model(**row) for row in rows)]
    ids = _draw_ids(model, len(rows))
    names = list(rows[0])
    fields = [model._meta.pk, *(_by_attname(model, name) for name in names)]
    prepare = [_preparation(field) for field in fields]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    statement = f"COPY {model._meta.db_table} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for pk, row in zip(ids, rows, strict=True):
            values = zip((pk, *(row[name] for name in names)), prepare, strict=True)
            copy.write_row([value if preparation is None else preparation(value) for value, preparation in values])
    return ids


def _draw_ids(model: type[models.Model], count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval((SELECT pg_get_serial_sequence(%s, 'id')::regclass)) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _by_attname(model: type[models.Model], name: str) -> Any:
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _preparation(field: Any) -> Callable[[Any], Any] | None:
    # The driver adapts ints, texts, moments and UUIDs; these two fields check and encode their values.
    if isinstance(field, (ExactDecimalField, models.JSONField)):
        target = connections[connection.alias]  # not the proxy, which looks up its thread's connection at each access
        return lambda value: field.get_db_prep_save(value, target)
    return None
