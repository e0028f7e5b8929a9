"""Frequent statements read what they need by index, beside 10,000 contracts and 40,000 records of others."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F

from billing.models import CloseItem, CloseRun, Line, Subscription
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue
from tests.skewed import drop_foreign_keys
from usage import closing, consumption, ledger
from usage.closing import changed_periods
from usage.metering import Window, measure
from usage.models import Matching, UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

CONTRACTS, RECORDS, JOBS = 10_000, 40_000, 5_000
LARGE = "usage_usagerecord|usage_matching|billing_(?:line|subscription|closerun|closeitem)"


def copies(model: Any, pk: int | UUID, count: int, changes: str) -> None:
    """Insert copies of a row. ``changes`` of the n-th are JSON of SQL expressions over ``n``."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT (jsonb_populate_record(of, jsonb_build_object({changes}))).*"
            f" FROM {table} of, generate_series(1, %s) n WHERE of.id = %s",
            [count, pk],
        )


@pytest.fixture
def line() -> Line:
    """Return a contract's line in a workspace with many, with usage of January that is closed and issued."""
    drop_foreign_keys()
    line = make.line()
    for day in range(1, 6):
        make.use(line, "3", f"2026-01-0{day}")
    owner, record = line.workspace, UsageRecord.objects.latest("pk")
    run = close_and_issue(owner, "2026-02-01")
    other = make.subscription(make.customer(owner, "Initech"), starts_on=line.starts_at.date())
    Subscription.objects.filter(pk=other.pk).update(next_close_at=make.moment("2031-01-01"))
    nth = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid"
    copies(Subscription, other.pk, CONTRACTS, f"'id', {nth}, 'reference', NULL")
    of_nth = f"'subscription_id', {nth}"
    copies(Line, line.pk, CONTRACTS, f"'id', 2000000 + n, 'number', 10000 + n, 'reference', NULL, {of_nth}")
    copies(UsageRecord, record.pk, RECORDS, f"'id', 5000000 + n, 'line_id', 2000001 + n %% {CONTRACTS}")
    copies(CloseRun, run.pk, JOBS, "'id', 2000000 + n")
    copies(CloseItem, run.items.get().pk, JOBS, "'id', 2000000 + n, 'run_id', 2000000 + n")
    at = make.moment("2026-02-01")
    job = Matching.objects.create(
        workspace=owner,
        customer=line.subscription.customer,
        name="gx",
        state=Matching.State.DONE,
        after_id=0,
        until_id=1,
        finished_at=at,
        heartbeat_at=at,
    )
    copies(Matching, job.pk, JOBS, "'id', 2000000 + n")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return line


@contextmanager
def plans() -> Iterator[list[tuple[str, str]]]:
    """Collect each statement about a large table with its plan."""
    found: list[tuple[str, str]] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.search(LARGE, sql) and sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "WITH")):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                found.append((sql, "\n".join(row[0] for row in cursor.fetchall())))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def record(line: Line) -> None:
    assert make.use(line, "4", "2026-02-03").id


def record_late(line: Line) -> None:
    assert make.use(line, "4", "2026-01-20", key="a").is_late


def correct(line: Line) -> None:
    first = line.usage_records.earliest("pk")
    record = make.use(line, "4", "2026-02-03")
    make.take_back(make.fix(record, "5"))
    assert first.pk < record.id


def meter(line: Line) -> None:
    window = Window(
        workspace_id=line.workspace_id,
        line_id=line.pk,
        aggregation=line.brick.aggregation,
        starts_at=make.moment("2026-01-01"),
        ends_at=make.moment("2026-02-01"),
        cutoff=ledger.last_id(workspace_id=line.workspace_id),
    )
    assert measure([window])[0].quantity == 15


def current_usage(line: Line) -> None:
    lines = consumption.lines_of_brick(
        workspace=line.workspace, subscription_id=line.subscription_id, brick_id=line.brick_id
    )
    assert consumption.used_in_current_period(lines=lines, as_of=make.moment("2026-02-10")) is not None


def upcoming_invoice(line: Line) -> None:
    assert closing.preview(subscription=line.subscription, as_of=make.moment("2026-02-10")) is not None


def changed(line: Line) -> None:
    make.use(line, "4", "2026-01-20")
    owner = line.workspace_id
    cutoff = ledger.last_id(workspace_id=owner)
    assert changed_periods(workspace_id=owner, subscription_ids=[line.subscription_id], cutoff=cutoff)


def sweep(line: Line) -> None:
    stopped = line.workspace.close_runs.earliest("pk")
    line.workspace.close_runs.filter(pk=stopped.pk).update(state=CloseRun.State.COMPUTING, finished_at=None)
    assert closing.stalled(as_of=make.moment("2027-01-01")) == [stopped]
    assert not ledger.stalled_matchings(as_of=make.moment("2027-01-01"))


def due(line: Line) -> None:
    run = closing.start(
        workspace=line.workspace,
        until_at=make.moment("2026-03-01"),
        actor=make.actor("finance"),
        as_of=make.moment("2026-03-01"),
    )
    assert run.items.get().subscription_id == line.subscription_id


def close_one(line: Line) -> None:
    run = close(line.workspace, "2026-03-01")
    assert run.invoices.filter(period__starts_at=F("starts_at")).count() == 1


HOT = [record, record_late, correct, meter, current_usage, upcoming_invoice, changed, sweep, due, close_one]


def test_no_large_table_is_read_whole(line):
    whole: dict[str, str] = {}
    for hot in HOT:
        begun = transaction.savepoint()
        with plans() as found:
            hot(line)
        transaction.savepoint_rollback(begun)
        assert found, hot
        for _, plan in found:
            if re.search(rf"Seq Scan on (?:{LARGE})\b", plan):
                whole[hot.__name__] = plan

    assert whole == {}
