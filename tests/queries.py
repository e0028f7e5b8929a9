"""Captured statements about rows."""

from django.test.utils import CaptureQueriesContext

_SETTING = ("SAVEPOINT", "RELEASE", "SET ", "BEGIN", "COMMIT")


def about_rows(queries: CaptureQueriesContext) -> list[str]:
    """Return the captured statements without those that begin, limit and end a transaction."""
    return [query["sql"] for query in queries if not query["sql"].startswith(_SETTING)]
