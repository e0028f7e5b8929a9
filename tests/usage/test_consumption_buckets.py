"""Usage by hour, day, week or month of the workspace's calendar."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Line
from tests import factories as make
from usage import consumption
from usage.consumption import BucketSize, SpanRefused

pytestmark = pytest.mark.django_db

BERLIN = "Europe/Berlin"


@pytest.fixture
def line():
    return make.line()


def by_bucket(
    line: Line, size: str, *, starts_at: str | None = None, ends_at: str | None = None, as_of: str = "2026-12-01"
) -> list[tuple[str, str, str]]:
    """Return the local times between which each bucket lies, and what was used in it."""
    tz = line.workspace.tz
    span = {
        name: make.moment(text, tz=str(tz))
        for name, text in {"starts_at": starts_at, "ends_at": ends_at}.items()
        if text is not None
    }
    buckets = consumption.used_by_bucket(
        lines=[line], size=BucketSize(size), as_of=make.moment(as_of, tz=str(tz)), **span
    )
    return [
        (
            f"{bucket.period.starts_at.astimezone(tz):%m-%d %H:%M}",
            f"{bucket.period.ends_at.astimezone(tz):%m-%d %H:%M}",
            f"{bucket.quantity.normalize():f}",
        )
        for bucket in buckets
    ]


def test_days_are_those_of_the_workspace_and_none_is_missing():
    line = make.line(make.workspace(time_zone="America/New_York"))
    make.use(line, "1", "2026-07-02 03:59")
    make.use(line, "20", "2026-07-02 04:00")
    make.use(line, "300", "2026-07-04 12:00")

    assert by_bucket(line, "day", starts_at="2026-07-01", ends_at="2026-07-05") == [
        ("07-01 00:00", "07-02 00:00", "1"),
        ("07-02 00:00", "07-03 00:00", "20"),
        ("07-03 00:00", "07-04 00:00", "0"),
        ("07-04 00:00", "07-05 00:00", "300"),
    ]


def test_the_first_and_the_last_bucket_are_whole_and_count_what_was_asked_for(line):
    for quantity, at in [("1", "2026-07-01 11:59"), ("2", "2026-07-01 12:00"), ("4", "2026-07-02 11:59")]:
        make.use(line, quantity, at)
    make.use(line, "8", "2026-07-02 12:00")

    assert by_bucket(line, "day", starts_at="2026-07-01 12:00", ends_at="2026-07-02 12:00") == [
        ("07-01 00:00", "07-02 00:00", "2"),
        ("07-02 00:00", "07-03 00:00", "4"),
    ]


@pytest.mark.parametrize(
    ("day", "before", "after", "buckets"),
    [
        # The clock goes from 2 to 3, and the day has 23 hours.
        ("2026-03-29", ("03-29 01:00", "03-29 03:00"), ("03-29 03:00", "03-29 04:00"), 23),
        # The hour from 2 to 3 comes twice.
        ("2026-10-25", ("10-25 01:00", "10-25 02:00"), ("10-25 02:00", "10-25 02:00"), 25),
    ],
)
def test_hours_are_right_when_the_clock_is_changed(day, before, after, buckets):
    line = make.line(make.workspace(time_zone=BERLIN))
    make.use(line, "1", f"{day} 00:30")
    make.use(line, "20", f"{day} 02:30")

    found = by_bucket(line, "hour", starts_at=day, ends_at=f"{day} 23:59")

    # In UTC the one hour ends at 1, the other begins then; an hour later there is the second record.
    assert len(found) == buckets
    assert found[1][:2] == before
    assert found[2][:2] == after
    assert sum(Decimal(quantity) for *_, quantity in found) == 21


def test_a_day_of_23_hours_is_one_day():
    line = make.line(make.workspace(time_zone=BERLIN))
    make.use(line, "1", "2026-03-29 21:59")
    make.use(line, "20", "2026-03-29 22:00")

    assert by_bucket(line, "day", starts_at="2026-03-29", ends_at="2026-03-31") == [
        ("03-29 00:00", "03-30 00:00", "1"),
        ("03-30 00:00", "03-31 00:00", "20"),
    ]


def test_weeks_begin_on_mondays_and_months_on_their_first(line):
    make.use(line, "1", "2026-07-12 23:59")
    make.use(line, "20", "2026-07-13")

    assert by_bucket(line, "week", starts_at="2026-07-08", ends_at="2026-07-15") == [
        ("07-06 00:00", "07-13 00:00", "1"),
        ("07-13 00:00", "07-20 00:00", "20"),
    ]
    assert by_bucket(line, "month", starts_at="2026-06-30", ends_at="2026-07-13") == [
        ("06-01 00:00", "07-01 00:00", "0"),
        ("07-01 00:00", "08-01 00:00", "1"),
    ]


def test_a_day_that_a_zone_left_out_has_no_bucket():
    line = make.line(make.workspace(time_zone="Pacific/Apia"), starts_on=date(2011, 12, 1))

    days = by_bucket(line, "day", starts_at="2011-12-29", ends_at="2012-01-01")

    assert [day for day, *_ in days] == ["12-29 00:00", "12-31 00:00"]


def test_a_gauges_buckets_add_up_to_its_period():
    gauge = make.line(aggregation="unit_days")
    make.use(gauge, "3", "2026-01-01")
    make.use(gauge, "4", "2026-01-02 12:00")

    days = by_bucket(gauge, "day", as_of="2026-01-03 18:00")

    assert [quantity for *_, quantity in days] == ["3", "3.5", "3"]
    (period,) = consumption.used_by_period(lines=[gauge], as_of=make.moment("2026-01-03 18:00"))
    assert period.quantity == Decimal("9.5")


def test_buckets_are_those_of_the_running_period_until_now(line):
    make.use(line, "5", "2026-01-31")
    make.use(line, "7", "2026-02-02")

    assert by_bucket(line, "day", as_of="2026-02-03 10:00") == [
        ("02-01 00:00", "02-02 00:00", "0"),
        ("02-02 00:00", "02-03 00:00", "7"),
        ("02-03 00:00", "02-04 00:00", "0"),
    ]
    assert by_bucket(line, "day", as_of="2026-02-01") == []
    assert by_bucket(line, "day", as_of="2025-12-24") == []


def test_buckets_of_what_has_ended_are_those_of_its_last_period():
    line = make.line(ends_on=date(2026, 2, 3))
    make.use(line, "7", "2026-02-02")

    assert by_bucket(line, "day", as_of="2036-01-01") == [
        ("02-01 00:00", "02-02 00:00", "0"),
        ("02-02 00:00", "02-03 00:00", "7"),
    ]


def test_nothing_was_used_yet_in_a_bucket_to_come(line):
    make.use(line, "7", "2026-07-02 12:00")

    assert by_bucket(line, "day", starts_at="2026-07-02", ends_at="2026-07-04", as_of="2026-07-02 12:00") == [
        ("07-02 00:00", "07-03 00:00", "0"),
        ("07-03 00:00", "07-04 00:00", "0"),
    ]


@pytest.mark.bound("USAGE_BUCKETS")
def test_a_span_has_at_most_a_thousand_buckets(line):
    # 1,000 hours are 41 days and 16 hours.
    assert len(by_bucket(line, "hour", starts_at="2026-01-01", ends_at="2026-02-11 16:00")) == 1000
    with pytest.raises(SpanRefused, match="At most 1000 buckets") as refused:
        by_bucket(line, "hour", starts_at="2026-01-01", ends_at="2026-02-11 16:01")
    assert refused.value.field == "size"


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"starts_at": "2026-07-02", "ends_at": "2026-07-02"}, "ends_at"),
        ({"starts_at": "2026-07-02", "ends_at": "2026-07-01"}, "ends_at"),
        ({"ends_at": "2026-06-30"}, "ends_at"),
        ({"starts_at": "2026-07-11"}, "starts_at"),
    ],
)
def test_a_span_without_anything_in_it_is_refused(line, span, field):
    with pytest.raises(SpanRefused, match="The end must be after the start") as refused:
        by_bucket(line, "day", as_of="2026-07-10", **span)
    assert refused.value.field == field


def test_any_number_of_buckets_takes_one_query(line):
    make.use(line, "1", "2026-03-01")
    span = {"starts_at": make.moment("2024-01-01"), "ends_at": make.moment("2026-07-01")}

    with CaptureQueriesContext(connection) as queries:
        buckets = consumption.used_by_bucket(lines=[line], size=BucketSize.DAY, as_of=make.moment("2026-07-01"), **span)

    assert (len(buckets), len(queries)) == (912, 1)


def test_events_are_counted_in_the_bucket_in_which_they_happened():
    initech = make.customer(make.workspace(), aliases=("initech",))
    line = make.counting_line(initech, make.event_brick(initech.workspace))
    for at in ("2026-01-31 23:59", "2026-02-01", "2026-02-02"):
        make.event(initech.workspace, "initech", at)

    assert by_bucket(line, "day", starts_at="2026-01-31", ends_at="2026-02-02") == [
        ("01-31 00:00", "02-01 00:00", "1"),
        ("02-01 00:00", "02-02 00:00", "1"),
    ]
