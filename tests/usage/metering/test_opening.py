"""Lines of a gauge that follow each other: what they open with costs as much as there are lines, not their square."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from billing.calendar import Period
from billing.models import Line
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from tests.work import work_of
from usage import ledger
from usage.closing import changed_periods
from usage.metering import Window, measure, opening_records
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

FEW, MANY = 100, 400
LENGTH = timedelta(minutes=5)


def chain(count: int, name: str) -> list[Line]:
    """Lines of five minutes each that carry on from each other, in a January that is closed, without any record."""
    first = make.line(make.workspace(name), aggregation="unit_days")
    close_and_issue(first.workspace, "2026-02-01")
    first.refresh_from_db()
    fields = {
        field.attname: getattr(first, field.attname)
        for field in Line._meta.concrete_fields
        if field.attname not in ("id", "number", "starts_at", "ends_at")
    }
    Line.objects.filter(pk=first.pk).update(ends_at=first.starts_at + LENGTH)
    spans = [(first.starts_at + n * LENGTH, first.starts_at + (n + 1) * LENGTH) for n in range(1, count)]
    Line.objects.bulk_create(
        Line(**fields, number=1000 + n, starts_at=starts_at, ends_at=ends_at)
        for n, (starts_at, ends_at) in enumerate(spans)
    )
    return list(Line.objects.filter(subscription=first.subscription).order_by("starts_at"))


def windows(lines: list[Line]) -> list[Window]:
    owner = lines[0].workspace_id
    cutoff = ledger.last_id(workspace_id=owner)
    return [
        Window(owner, "unit_days", line.pk, line.starts_at, line.ends_at or line.starts_at, cutoff) for line in lines
    ]


def report_late(lines: list[Line]) -> None:
    """One record for each line, in the month that is closed."""
    UsageRecord.objects.bulk_create(
        UsageRecord(
            workspace_id=line.workspace_id,
            line=line,
            quantity=1,
            occurred_at=line.starts_at,
            recorded_at=line.starts_at,
            is_late=True,
            kind=UsageRecord.Kind.ENTRY,
            source=UsageRecord.Source.API,
            dialect="native",
            recorded_by="tests",
        )
        for line in lines
    )


def measured(lines: list[Line]) -> None:
    assert len(measure(windows(lines))) == len(lines)


def opened(lines: list[Line]) -> None:
    assert opening_records(windows(lines)) == [None] * len(lines)


def changed_of(line: Line) -> dict[int, list[Period]]:
    owner = line.workspace_id
    cutoff = ledger.last_id(workspace_id=owner)
    return changed_periods(workspace_id=owner, subscription_ids=[line.subscription_id], cutoff=cutoff)


def changed(lines: list[Line]) -> None:
    assert not changed_of(lines[0])


def changed_late(lines: list[Line]) -> None:
    found = changed_of(lines[0])
    assert found.keys() == {line.pk for line in lines}


def measured_from_the_first(lines: list[Line]) -> None:
    # What the first one ended with stands in all the others.
    assert {one.quantity for one in measure(windows(lines)[1:])} == {measure(windows(lines)[1:2])[0].quantity}


CASES = [(measured, 0), (measured_from_the_first, 1), (opened, 0), (changed, 0), (changed_late, None)]


@pytest.mark.parametrize(("ask", "reporting"), CASES)
def test_work_grows_with_the_lines(ask: Callable[[list[Line]], None], reporting: int | None):
    few, many = chain(FEW, "few"), chain(MANY, "many")
    for lines in (few, many):
        report_late(lines[:reporting])
    with connection.cursor() as cursor:
        # As autovacuum does: of tables that it knows nothing of, the planner takes any index for as good as another.
        cursor.execute("ANALYZE")
    # A plan that begins with what is not there has next to nothing in hand; ten times the lines are little as well.
    assert work_of(lambda: ask(many)) < 6 * max(work_of(lambda: ask(few)), 60 * FEW)
