"""Which records have the keys that a batch sends."""

from collections.abc import Mapping

from django.db import connection

from billing.storage.rows import given, rows
from usage.ledger.batch.entries import Entry

_COLUMNS = {"id": "bigint", "dialect": "text", "key": "text"}
_SAME = """
SELECT given.id, (
    SELECT coalesce(origin_id, r.id) FROM usage_usagerecord r
    WHERE r.workspace_id = %s AND r.dialect = given.dialect AND r.key = given.key AND r.superseded_by_id IS NULL
)
FROM {given}
"""


def known_keys(workspace_id: int, entries: Mapping[int, Entry]) -> dict[int, int]:
    """Return, by the number under which each is given, the record that has its key, as its sender knows it.

    Those whose key no live record has are left out.
    """
    wanted = [
        {"id": number, "dialect": entry.command.origin.dialect, "key": entry.key}
        for number, entry in entries.items()
        if entry.key is not None
    ]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SAME.format(given=given(_COLUMNS)), [workspace_id, rows(wanted)])
        return {number: record_id for number, record_id in cursor.fetchall() if record_id is not None}
