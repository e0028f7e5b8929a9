"""Closing of 10,000 subscriptions with 1,000,000 records, against one aggregate and a COPY of as many rows."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from billing import parties
from billing.models import CloseRun, Invoice, Workspace
from tests import factories as make
from tests import services
from tests.bench.report import Row
from tests.bench.size import Size
from usage import closing

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
WORKERS = 2

_SUBSCRIPTIONS = """
INSERT INTO billing_subscription
    (id, workspace_id, customer_id, currency, interval, anchor_on, starts_at, open_from_at, next_close_at)
SELECT gen_random_uuid(), %(workspace)s, %(customer)s, 'USD', 'monthly', '2026-01-01', %(from)s, %(from)s, %(until)s
FROM generate_series(1, %(subscriptions)s)
"""
_LINES = """
INSERT INTO billing_line (workspace_id, number, subscription_id, brick_id, price_id, starts_at, open_from_at)
SELECT workspace_id, row_number() OVER (), id, %(brick)s, %(price)s, starts_at, open_from_at
FROM billing_subscription WHERE workspace_id = %(workspace)s
"""
# Records of all lines in turn, as they arrive over a month.
_RECORDS = """
INSERT INTO usage_usagerecord
    (workspace_id, line_id, quantity, occurred_at, recorded_at, is_late, kind, source, dialect, recorded_by, note)
SELECT %(workspace)s, l.id, (l.id + n) %% 97 + 0.125, %(from)s + n * interval '1 second' * (2600000 / %(each)s), now(),
    false, 'entry', 'api', 'piriod', 'key ark_live_bench', ''
FROM generate_series(0, %(each)s - 1) n CROSS JOIN billing_line l WHERE l.workspace_id = %(workspace)s
ORDER BY n, l.id
"""


def run(size: Size) -> list[Row]:
    """Measure at the given number of records per subscription, and at a tenth of it for the growth."""
    subscriptions, each = size.subscriptions, size.records_each
    few, _ = _measure("close-few", subscriptions, each // 10)
    many, limit = _measure("close-many", subscriptions, each)
    title = f"close {subscriptions:,} subscriptions, {subscriptions * each:,} records"
    return [
        Row(title, f"{many:.2f} s", f"{limit:.2f} s", f"{many / limit:.1f} x", "<= 6 x"),
        Row("  invoices a second", f"{subscriptions / many:,.0f}", "", "", ">= 1,000"),
        Row("  10 x the records", f"{many:.2f} s", f"{few:.2f} s", f"{many / few:.1f} x", "<= 11 x"),
    ]


def _measure(code: str, subscriptions: int, each: int) -> tuple[float, float]:
    workspace = _load(code, subscriptions, each)
    ours = _close(workspace)
    if Invoice.objects.filter(workspace=workspace).count() != subscriptions:
        raise RuntimeError("The close did not create one invoice per subscription: the figure would be worthless.")
    return ours, min(_limit(workspace) for _ in range(3))


def _load(code: str, subscriptions: int, each: int) -> Workspace:
    workspace = parties.create_workspace(code=code, name=code, time_zone="UTC", currency="USD", actor=make.ACTOR)
    brick = make.brick(workspace)
    price = make.price(brick, model="graduated", tiers=[("100", "2", "0"), ("1000", "1.5", "0"), (None, "1", "0")])
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "customer": make.customer(workspace).pk,
        "brick": brick.pk,
        "price": price.pk,
        "from": JANUARY,
        "until": FEBRUARY,
        "subscriptions": subscriptions,
        "each": each,
    }
    with connection.cursor() as cursor:
        for statement in (_SUBSCRIPTIONS, _LINES, _RECORDS):
            cursor.execute(statement, parameters)
        # The state after a month: written to disk, and vacuumed some time before the end.
        cursor.execute("CHECKPOINT")
        cursor.execute("VACUUM ANALYZE")
    return workspace


def _limit(workspace: Workspace) -> float:
    """Time one aggregate over the records, and a COPY of the created invoices and lines into tables like ours."""
    with connection.cursor() as cursor:
        copies = []
        for table in ("billing_invoice", "billing_invoiceline"):
            cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
            with cursor.copy(f"COPY (SELECT * FROM {table} WHERE workspace_id = {workspace.pk}) TO STDOUT") as copy:
                copies.append((table, b"".join(bytes(block) for block in copy)))
        return _timed(lambda: _aggregate_and_copy(workspace, copies))


def _aggregate_and_copy(workspace: Workspace, copies: list[tuple[str, bytes]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT line_id, sum(quantity), count(*) FROM usage_usagerecord"
            " WHERE workspace_id = %s AND occurred_at >= %s AND occurred_at < %s GROUP BY line_id",
            [workspace.pk, JANUARY, FEBRUARY],
        )
        cursor.fetchall()
        for table, rows in copies:
            with cursor.copy(f"COPY bench_{table} FROM STDIN") as copy:
                copy.write(rows)


# The state of a broker's worker: started, connected and waiting for the run's id.
_WORKER = """
from django.db import connection
from django.utils import timezone
from billing import actors
from config.celery import freeze_what_was_loaded
from usage import closing
freeze_what_was_loaded()
connection.ensure_connection()
print("ready", flush=True)
workspace_id, run_id = map(int, input().split())
closing.work(workspace_id=workspace_id, run_id=run_id, actor=actors.command("bench"), clock=timezone.now)
"""


def _close(workspace: Workspace) -> float:
    workers = [
        subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"CELERY_BROKER_URL": services.NO_BROKER},
        )
        for _ in range(WORKERS)
    ]
    for worker in workers:
        if worker.stdout is None or worker.stdout.readline() != "ready\n":
            raise RuntimeError("A worker did not start.")
    return _timed(lambda: _run(workspace, workers))


def _run(workspace: Workspace, workers: list[subprocess.Popen[str]]) -> None:
    now = timezone.now()
    run = closing.start(workspace=workspace, until_at=FEBRUARY, actor=make.actor("bench"), as_of=now)
    for worker in workers:
        _send(worker, run)
    if any(worker.wait() for worker in workers):
        raise RuntimeError("A worker failed.")


def _send(worker: subprocess.Popen[str], run: CloseRun) -> None:
    if worker.stdin is not None:
        worker.stdin.write(f"{run.workspace_id} {run.pk}\n")
        worker.stdin.close()


def _timed(job: Callable[[], None]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun
