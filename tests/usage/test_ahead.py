"""Usage dated in the future is found and shown, and does not prevent other actions."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.models import InvoiceLine, Line
from tests import factories as make
from tests.scenarios.closing import close
from tests.skewed import copy_rows, drop_foreign_keys
from usage.ahead import dated_ahead, out_of_reach
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NOW = make.moment("2026-01-10 12:00")
MICROSECOND = timedelta(microseconds=1)


def copy_of(row: Any, **changes: Any) -> Any:
    """Return a row like another, to be saved."""
    names = [field.attname for field in row._meta.concrete_fields if not field.primary_key]
    return type(row)(**{name: getattr(row, name) for name in names} | changes)


def ids(records) -> list[int]:
    return sorted(record.pk for record in records)


@pytest.mark.bound("USAGE_AHEAD_HOURS")
def test_more_than_a_day_ahead_is_the_future():
    line = make.line()
    for at in ("2026-01-10 11:00", "2026-01-11 12:00"):
        make.use(line, "1", at, recorded_at="2026-01-10 12:00")
    ahead = make.use(line, "1", "2026-01-11 12:00:01", recorded_at="2026-01-10 12:00")
    far = make.use(line, "1", "2062-01-01", recorded_at="2026-01-10 12:00")

    assert ids(dated_ahead(as_of=NOW)) == [ahead.id, far.id]
    # Its time comes.
    assert ids(dated_ahead(as_of=make.moment("2026-02-01"))) == [far.id]


def test_what_was_corrected_or_taken_back_is_seen_no_more():
    line = make.line()
    moved, taken_back = (make.use(line, "1", "2062-01-01", recorded_at="2026-01-10") for _ in range(2))
    make.fix(moved, at="2026-01-09", recorded_at="2026-01-10")
    make.take_back(taken_back, recorded_at="2026-01-10")

    assert ids(dated_ahead(as_of=NOW)) == []


def test_what_lies_beyond_the_end_of_its_line_stays_in_sight():
    line = make.line()
    beyond = make.use(line, "1", "2026-03-01", recorded_at="2026-01-10")
    make.use(line, "1", "2026-01-05")
    contracts.end_subscription(
        subscription=line.subscription, ends_at=make.moment("2026-02-01"), as_of=NOW, actor=make.ACTOR
    )
    other = make.line(line.workspace)
    make.use(other, "1", "2062-01-01", recorded_at="2026-01-10")

    for as_of in ("2026-01-10", "2026-06-01", "2030-01-01"):
        assert ids(out_of_reach(subscription=line.subscription, as_of=make.moment(as_of))) == [beyond.id]
    # It counts again where the subscription goes on over it.
    contracts.end_subscription(subscription=line.subscription, ends_at=None, actor=make.ACTOR)
    assert ids(out_of_reach(subscription=line.subscription, as_of=make.moment("2026-06-01"))) == []


def test_usage_beyond_the_ends_of_any_number_of_lines_stays_in_sight():
    first = make.line()
    record = UsageRecord.objects.get(pk=make.use(first, "1", "2026-01-05").id)
    starts_at, minute = make.moment("2025-01-01"), timedelta(minutes=1)
    lines = Line.objects.bulk_create(
        copy_of(first, number=1000 + n, starts_at=starts_at + n * minute, ends_at=starts_at + (n + 1) * minute)
        for n in range(1001)
    )
    UsageRecord.objects.bulk_create(
        copy_of(record, line_id=line.pk, occurred_at=line.ends_at - MICROSECOND) for line in lines
    )
    UsageRecord.objects.bulk_create(copy_of(record, line_id=line.pk, occurred_at=line.ends_at) for line in lines)
    ahead = make.use(first, "1", "2062-01-01", recorded_at="2026-01-10")

    found = out_of_reach(subscription=first.subscription, as_of=NOW)

    assert {(one.line_id, one.occurred_at) for one in found} == {
        *((line.pk, line.ends_at) for line in lines),
        (first.pk, ahead.occurred_at),
    }


def test_events_in_the_future_are_seen_where_they_would_count():
    workspace = make.workspace()
    customer = make.customer(workspace, reference="globex")
    line = make.counting_line(customer, make.event_brick(workspace))
    ahead = make.event(workspace, "globex", "2062-01-01", recorded_at="2026-01-10")
    make.event(workspace, "globex", "2062-01-01", event_type="something-else", recorded_at="2026-01-10")
    make.event(workspace, "globex", "2026-01-09")

    assert ids(out_of_reach(subscription=line.subscription, as_of=NOW)) == [ahead.id]


def test_the_reviewer_is_told_on_the_line_itself():
    line, calm = make.line(), make.line(make.workspace("calm"))
    make.use(line, "1", "2062-01-01", recorded_at="2026-01-10")
    customer = make.customer(line.workspace, "Umbrella", reference="umbrella")
    counting = make.counting_line(customer, make.event_brick(line.workspace))
    make.event(line.workspace, "umbrella", "2062-01-01", recorded_at="2026-01-10")
    for of in (line, calm):
        close(of.workspace, "2026-03-01")

    found = {(row.line_id, f"{row.starts_at:%m}"): row.surprises for row in InvoiceLine.objects.all()}

    told = ["has usage that is dated in the future and counts in no period yet"]
    assert found == {
        (line.pk, "01"): told,
        (line.pk, "02"): [],
        (counting.pk, "01"): told,
        (counting.pk, "02"): [],
        (calm.pk, "01"): [],
        (calm.pk, "02"): [],
    }


@pytest.mark.postgres
@pytest.mark.parametrize("wanted", ["of a workspace", "of a subscription"])
def test_the_future_is_found_by_an_index_in_a_large_ledger(wanted):
    drop_foreign_keys()
    line = make.line()
    copy_rows(UsageRecord, of=make.use(line, "1", "2026-01-05").id, count=30_000)
    ahead = make.use(line, "1", "2062-01-01", recorded_at="2026-01-10")
    records = {
        "of a workspace": dated_ahead(as_of=NOW).filter(workspace=line.workspace),
        "of a subscription": out_of_reach(subscription=line.subscription, as_of=NOW),
    }[wanted]
    with connection.cursor() as cursor, CaptureQueriesContext(connection):
        cursor.execute("ANALYZE")
        statement, parameters = records.query.sql_with_params()
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "Seq Scan on usage_usagerecord" not in plan, plan
    assert ids(records) == [ahead.id]
