"""Lists and filters of a large ledger, against the same of a small one: the time must not grow with the table."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import override_settings

from tests import skewed
from tests.bench.report import Row
from tests.bench.setting import analyse
from tests.bench.size import Size
from tests.plans.cases import CASES, PANEL, client_of, path_of
from usage import ledger


def run(size: Size) -> list[Row]:
    """Measure each with a small and with a large ledger. Report the medians."""
    small, large = _measure(size.small_ledger, size.rounds), _measure(size.large_ledger, size.rounds)
    return [
        Row(
            f"{dialect}, {query or 'all'}"[:60],
            f"{large[dialect, query] * 1000:,.0f} ms",
            f"{small[dialect, query] * 1000:,.0f} ms",
            f"{large[dialect, query] / small[dialect, query]:.1f} x",
            "< 300 ms" if dialect == PANEL else "< 100 ms",
        )
        for dialect, query in CASES
    ]


def _measure(records: int, rounds: int) -> dict[tuple[str, str], float]:
    with _any_time():
        with _without_indexes():
            owner = skewed.build(records).workspace
        with connection.cursor() as cursor:
            # As autovacuum does: index-only scans need it.
            cursor.execute("VACUUM usage_usagerecord")
        analyse()
        ledger.count_usages()
    medians = {}
    for dialect, query in CASES:
        client, path = client_of(owner, dialect), path_of(owner, dialect, query)
        seconds = []
        for _ in range(rounds):
            begun = time.perf_counter()
            response = client.get(path)
            seconds.append(time.perf_counter() - begun)
            if response.status_code != 200:
                raise RuntimeError(f"{path}: {response.content.decode()[:200]}")
        medians[dialect, query] = statistics.median(seconds)
    return medians


@contextmanager
def _any_time() -> Iterator[None]:
    """Disable the statement timeout, and the setting from which each transaction's end restores it."""
    with override_settings(REQUEST_STATEMENT_SECONDS=0):
        connection.limit_statements(0, for_session=True)  # type: ignore[attr-defined]  # method of our backend
        yield
    connection.limit_statements(None, for_session=True)  # type: ignore[attr-defined]  # method of our backend


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Start without rows, and build the ledger's indexes after loading: the only feasible way for millions of rows."""
    with connection.cursor() as cursor:
        tables = ", ".join(connection.introspection.django_table_names(only_existing=True, include_views=False))
        cursor.execute(f"TRUNCATE {tables} CASCADE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename = 'usage_usagerecord' AND indexname <> 'usage_usagerecord_pkey'"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        for setting in ("session_replication_role", "maintenance_work_mem"):
            cursor.execute(f"RESET {setting}")
