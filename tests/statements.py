"""The SQL statements about rows that a function executed."""

from django.test.utils import CaptureQueriesContext

_SETTING = ("SAVEPOINT", "RELEASE", "SET ", "BEGIN", "COMMIT")


def about_rows(captured: CaptureQueriesContext) -> list[str]:
    """Return the captured statements without those that begin, limit and end a transaction."""
    return [statement["sql"] for statement in captured if not statement["sql"].startswith(_SETTING)]
