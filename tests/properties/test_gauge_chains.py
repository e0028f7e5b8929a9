"""Property test of a gauge's lines: opening values and affected periods equal a count by hand."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import BillingPeriod, Line
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from usage import ledger
from usage.closing import changed_periods
from usage.metering import Window, opening_records
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)

# A line: days of pause before it, its length in days (0 if voided), whether it carries the value on, and the counted
# share of its records, in tenths.
lines_of_a_gauge = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 3, 10]), st.sampled_from([True, True, False]), st.integers(0, 10)),
    min_size=2,
    max_size=8,
)
# By the position of the line or the record: a value at an hour of the line, a correction, a retraction.
steps = st.lists(
    st.tuples(st.sampled_from(["use", "use", "fix", "retract"]), st.integers(0, 30), st.integers(0, 239)), max_size=12
)


def agree(given_lines: list[tuple[int, int, bool, int]]) -> list[Line]:
    """Add the lines to a subscription whose first three months are closed."""
    base = make.line(aggregation="unit_days")
    close_and_issue(base.workspace, "2026-04-01")
    base.refresh_from_db()
    Line.objects.filter(pk=base.pk).update(ends_at=base.starts_at)
    at, rows = base.starts_at, []
    for number, (pause, lasts, carries_on, _) in enumerate(given_lines):
        at += pause * DAY
        rows.append(
            Line(
                workspace=base.workspace,
                subscription=base.subscription,
                number=100 + number,
                brick=base.brick,
                price=base.price,
                starts_at=at,
                ends_at=at + lasts * DAY,
                carries_on=carries_on,
                open_from_at=base.open_from_at,
            )
        )
        at += lasts * DAY
    Line.objects.bulk_create(rows)
    return list(Line.objects.filter(number__gte=100).order_by("number"))


def end_of(line: Line) -> datetime:
    assert line.ends_at is not None
    return line.ends_at


def tell(lines: list[Line], story: list[tuple[str, int, int]]) -> None:
    lasting = [line for line in lines if not line.is_voided]
    known: list[ledger.Recorded] = []
    for kind, position, hour in story:
        if kind == "use" and lasting:
            line = lasting[position % len(lasting)]
            at = line.starts_at + hour * timedelta(hours=1) % (end_of(line) - line.starts_at)
            known.append(make.use(line, str(position), f"{at:%Y-%m-%d %H:%M}"))
        elif kind == "fix" and known:
            place = position % len(known)
            known[place] = make.fix(known[place], str(hour))
        elif kind == "retract" and known:
            make.take_back(known.pop(position % len(known)))


def formers(line: Line, lines: list[Line]) -> list[Line]:
    """Return the lines whose values are carried on up to this one, the last first."""
    before = sorted((one for one in lines if one.starts_at < line.starts_at), key=lambda one: one.starts_at)
    found: list[Line] = []
    if line.carries_on:
        for one in reversed(before):
            if any(one.starts_at < anew.starts_at for anew in before if not (anew.carries_on or anew.is_voided)):
                break
            found.append(one)
    return found


def last(line: Line, until: datetime, cutoff: int) -> int | None:
    standing = UsageRecord.objects.as_of(cutoff).filter(line=line, occurred_at__lt=until)
    record = standing.order_by("occurred_at", "id").last()
    return record and record.pk


def opens_with(window: Window, line: Line, lines: list[Line]) -> int | None:
    asked = [last(line, window.starts_at, window.cutoff)]
    asked += [last(one, end_of(one), window.cutoff) for one in formers(line, lines)]
    return next((record for record in asked if record is not None), None)


def changes(line: Line, lines: list[Line]) -> list[datetime]:
    late = UsageRecord.objects.filter(line__in=[line, *formers(line, lines)], is_late=True, id__gt=line.cutoff)
    was = UsageRecord.objects.filter(superseded_by__in=late)
    return [record.occurred_at for record in [*late, *was]]


@settings(max_examples=15)
@given(given_lines=lines_of_a_gauge, story=steps)
def test_each_line_opens_with_what_it_would_on_paper(given_lines, story):
    with transaction.atomic():
        lines = agree(given_lines)
        tell(lines, story)
        cutoffs = [0, *UsageRecord.objects.order_by("id").values_list("id", flat=True)]
        asked = [
            (line, Window(line.workspace_id, "unit_days", line.pk, at, at + DAY, cutoff))
            for line in lines
            for at in {line.starts_at, line.starts_at + (line.ends_at - line.starts_at) / 2}
            for cutoff in cutoffs[:: max(1, len(cutoffs) // 4)]
        ]
        found = opening_records([window for _, window in asked])
        assert found == [opens_with(window, line, lines) for line, window in asked]
        transaction.set_rollback(True)


@settings(max_examples=15)
@given(given_lines=lines_of_a_gauge, story=steps)
def test_a_change_reaches_the_lines_and_periods_that_it_would_on_paper(given_lines, story):
    with transaction.atomic():
        lines = agree(given_lines)
        tell(lines, story)
        cutoffs = [0, *UsageRecord.objects.order_by("id").values_list("id", flat=True)]
        for line, (*_, counted) in zip(lines, given_lines, strict=True):
            line.cutoff = cutoffs[counted * (len(cutoffs) - 1) // 10]
            line.save(update_fields=["cutoff"])
        closed = list(BillingPeriod.objects.order_by("starts_at"))
        owner = lines[0].workspace_id
        cutoff = ledger.last_id(workspace_id=owner)
        found = changed_periods(workspace_id=owner, subscription_ids=[lines[0].subscription_id], cutoff=cutoff)
        for line in lines:
            first = min(changes(line, lines), default=None)
            reached = [period.starts_at for period in closed if first is not None and period.ends_at > first]
            assert [period.starts_at for period in found.get(line.pk, [])] == reached
        transaction.set_rollback(True)
