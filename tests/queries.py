"""What a function asked the database about rows."""

from django.test.utils import CaptureQueriesContext

_SETTING = ("SAVEPOINT", "RELEASE", "SET ", "BEGIN", "COMMIT")


def about_rows(queries: CaptureQueriesContext) -> list[str]:
    """Return the statements that were captured, without those that begin, limit and end a transaction."""
    return [query["sql"] for query in queries if not query["sql"].startswith(_SETTING)]
