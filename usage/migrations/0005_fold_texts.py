"""Gives events their folded texts, a batch a transaction: it can be stopped at any time, and run again."""

from typing import Any

from django.db import connection, migrations

from billing.caseless import folded_copy
from billing.jsontext import encode
from usage.ledger.given import given, rows

BATCH = 2000
_FOLD = """
UPDATE usage_usagerecord SET folded = given.folded{as_json} FROM {given} WHERE usage_usagerecord.id = given.id
"""


def fold_texts(apps: Any, schema_editor: Any) -> None:
    records = apps.get_model("usage", "UsageRecord").objects.filter(line=None, properties__isnull=False)
    last = 0
    while batch := list(records.filter(pk__gt=last).order_by("pk").values_list("pk", "properties")[:BATCH]):
        last = batch[-1][0]
        changed = [(pk, folded) for pk, properties in batch if (folded := folded_copy(properties))]
        if changed:
            _write(changed)


def _write(changed: list[tuple[int, dict[str, str]]]) -> None:
    table = given({"id": "bigint", "folded": "text"})
    as_json = "::jsonb" if connection.vendor == "postgresql" else ""
    values = rows({"id": pk, "folded": encode(folded).decode()} for pk, folded in changed)
    with connection.cursor() as cursor:
        cursor.execute(_FOLD.format(as_json=as_json, given=table), [values])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("usage", "0004_folded_texts"),
    ]

    operations = [
        migrations.RunPython(fold_texts, migrations.RunPython.noop),
    ]
