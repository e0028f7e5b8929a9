from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import calendar
from billing.calendar import (
    CalendarOutOfRange,
    Coverage,
    Interval,
    Period,
    billing_period,
    coverage,
    days_between,
    end_of,
    full_period_at,
    last_midnight,
    midnight,
    period_at,
    periods_due,
)

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Forget the days and windows that earlier tests have computed."""
    for function in (calendar._first_moment, calendar._window_start, days_between):
        function.cache_clear()


BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
ST_JOHNS = ZoneInfo("America/St_Johns")
APIA = ZoneInfo("Pacific/Apia")
TONGATAPU = ZoneInfo("Pacific/Tongatapu")
PAGO_PAGO = ZoneInfo("Pacific/Pago_Pago")
ZONES = [
    BERLIN,
    NEW_YORK,
    ST_JOHNS,
    APIA,
    TONGATAPU,
    PAGO_PAGO,
    *map(
        ZoneInfo,
        (
            "UTC",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "America/Santiago",
            "Africa/Cairo",
            "Asia/Beirut",
            "America/Asuncion",
            "America/Havana",
            "Asia/Amman",
            "Pacific/Kwajalein",
            "Pacific/Kiritimati",
        ),
    ),
]

zones = st.sampled_from(ZONES)
intervals = st.sampled_from(list(Interval))
days = st.dates(date(1950, 1, 1), date(2060, 12, 31))
moments = st.datetimes(datetime(1950, 1, 1), datetime(2060, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period(starts_at, ends_at):
    return Period(utc(starts_at), utc(ends_at))


def test_period_is_half_open():
    march = period("2026-03-01", "2026-04-01")
    assert [march.contains(utc(text)) for text in ("2026-02-28T23:59", "2026-03-01", "2026-04-01")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(("starts_at", "ends_at"), [("2026-03-01", "2026-03-01"), ("2026-03-02", "2026-03-01")])
def test_period_refuses_to_be_empty(starts_at, ends_at):
    with pytest.raises(ValueError, match="cannot start"):
        period(starts_at, ends_at)


def test_period_refuses_naive_moments():
    with pytest.raises(ValueError, match="no time zone"):
        Period(datetime(2026, 3, 1), utc("2026-04-01"))  # noqa: DTZ001


def test_period_of_local_moments_is_measured_in_utc():
    march = Period(datetime(2026, 3, 1, tzinfo=BERLIN), datetime(2026, 4, 1, tzinfo=BERLIN))
    assert march == period("2026-02-28T23:00", "2026-03-31T22:00")
    assert march.microseconds == (30 * 24 + 23) * 3_600_000_000


def test_period_next_to_the_year_1_is_out_of_range():
    ahead = timezone(timedelta(hours=1))
    with pytest.raises(CalendarOutOfRange):
        Period(datetime(1, 1, 1, tzinfo=ahead), datetime(1, 2, 1, tzinfo=ahead))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-02-01", "2026-05-01", ("2026-03-01", "2026-04-01")),
        ("2026-03-10", "2026-03-20", ("2026-03-10", "2026-03-20")),
        ("2026-03-10", None, ("2026-03-10", "2026-04-01")),
        ("2026-04-01", None, None),
        ("2026-02-01", "2026-03-01", None),
        ("2026-03-20", "2026-03-10", None),
    ],
)
def test_period_intersect(start, end, expected):
    part = period("2026-03-01", "2026-04-01").intersect(utc(start), end and utc(end))
    assert part == (expected and period(*expected))


@pytest.mark.parametrize(
    ("zone", "day", "moment"),
    [
        ("UTC", "2026-03-01", "2026-03-01T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00"),
        ("Pacific/Tongatapu", "2026-03-01", "2026-02-28T11:00"),
        ("Pacific/Pago_Pago", "2026-03-01", "2026-03-01T11:00"),
        ("Asia/Kathmandu", "2026-03-01", "2026-02-28T18:15"),
        ("Australia/Lord_Howe", "2026-07-01", "2026-06-30T13:30"),
        ("Australia/Lord_Howe", "2026-01-01", "2025-12-31T13:00"),
        # No 00:00: the clock went from 24:00 to 01:00.
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00"),
        ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00"),
        ("Asia/Beirut", "2025-03-30", "2025-03-29T22:00"),
        ("America/Asuncion", "2023-10-01", "2023-10-01T04:00"),
        # No 00:00, and the gap began the day before: from 23:30 to 00:30.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),
        # Two 00:00: back from 01:00 to 00:00, and from 00:01 to 23:01 of the day before.
        ("America/Havana", "2025-11-02", "2025-11-02T04:00"),
        ("America/St_Johns", "2009-11-01", "2009-11-01T02:30"),
        # Back from 24:00 to 23:00: only the second 24:00 is a 00:00.
        ("America/Santiago", "2025-04-06", "2025-04-06T04:00"),
        # No 30 December.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ],
)
def test_midnight_is_the_first_moment_of_the_day(zone, day, moment):
    found = midnight(date.fromisoformat(day), tz=ZoneInfo(zone))
    assert found == utc(moment)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(("day", "tz"), [(date.min, TONGATAPU), (date.min, BERLIN)])
def test_midnight_before_the_year_1_is_out_of_range(day, tz):
    with pytest.raises(CalendarOutOfRange, match=f"{day} in {tz} is outside the years 1 to 9999"):
        midnight(day, tz=tz)


@given(days, zones)
def test_midnight_is_the_earliest_moment_that_reads_as_the_day_or_later(day, tz):
    moment = midnight(day, tz=tz)
    assert moment.astimezone(tz).date() >= day
    assert (moment - timedelta(microseconds=1)).astimezone(tz).date() < day


@pytest.mark.parametrize(
    ("anchor_on", "interval", "starts_on"),
    [
        ("2026-01-31", "monthly", ["2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2024-01-31", "monthly", ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2025-11-30", "quarterly", ["2025-08-30", "2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30"]),
        ("2024-02-29", "yearly", ["2023-02-28", "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
        ("2027-02-28", "yearly", ["2026-02-28", "2027-02-28", "2028-02-28", "2029-02-28", "2030-02-28"]),
    ],
)
def test_billing_periods_are_computed_from_the_anchor(anchor_on, interval, starts_on):
    windows = [
        billing_period(
            index=index,
            anchor_on=date.fromisoformat(anchor_on),
            interval=Interval(interval),
            tz=ZoneInfo("UTC"),
        )
        for index in range(-1, 4)
    ]
    assert [window.starts_at for window in windows] == [utc(text) for text in starts_on]


@pytest.mark.parametrize(
    ("tz", "anchor_on", "expected"),
    [
        (BERLIN, "2026-03-01", ("2026-02-28T23:00", "2026-03-31T22:00")),
        (BERLIN, "2026-10-01", ("2026-09-30T22:00", "2026-10-31T23:00")),
        (NEW_YORK, "2026-03-01", ("2026-03-01T05:00", "2026-04-01T04:00")),
        (TONGATAPU, "2026-03-01", ("2026-02-28T11:00", "2026-03-31T11:00")),
        (PAGO_PAGO, "2026-03-01", ("2026-03-01T11:00", "2026-04-01T11:00")),
        (APIA, "2011-11-30", ("2011-11-30T10:00", "2011-12-30T10:00")),
        (APIA, "2011-12-30", ("2011-12-30T10:00", "2012-01-29T10:00")),
    ],
)
def test_billing_period_runs_between_local_midnights(tz, anchor_on, expected):
    window = billing_period(index=0, anchor_on=date.fromisoformat(anchor_on), interval=Interval.MONTHLY, tz=tz)
    assert window == period(*expected)


@pytest.mark.parametrize("index", [-(10**9), -30_000, 96_000, 10**30])
def test_billing_period_beyond_the_calendar_is_out_of_range(index):
    with pytest.raises(CalendarOutOfRange):
        billing_period(index=index, anchor_on=date(2026, 1, 31), interval=Interval.MONTHLY, tz=BERLIN)


@given(st.integers(-600, 400), days, intervals, zones)
def test_billing_periods_tile(index, anchor_on, interval, tz):
    window = billing_period(index=index, anchor_on=anchor_on, interval=interval, tz=tz)
    following = billing_period(index=index + 1, anchor_on=anchor_on, interval=interval, tz=tz)
    assert window.ends_at == following.starts_at


@settings(max_examples=300)
@given(moments, days, intervals, zones)
def test_full_period_contains_the_moment(moment, anchor_on, interval, tz):
    assert full_period_at(moment, anchor_on=anchor_on, interval=interval, tz=tz).contains(moment)


@given(st.integers(-600, 400), days, intervals, zones)
def test_full_period_is_found_at_its_first_and_last_moment(index, anchor_on, interval, tz):
    window = billing_period(index=index, anchor_on=anchor_on, interval=interval, tz=tz)
    for moment in (window.starts_at, window.ends_at - timedelta(microseconds=1)):
        assert full_period_at(moment, anchor_on=anchor_on, interval=interval, tz=tz) == window


def test_full_period_where_the_clock_fell_back_into_the_month_before():
    second_half_past_eleven = utc("2009-11-01T03:00")
    assert second_half_past_eleven.astimezone(ST_JOHNS).date() == date(2009, 10, 31)
    window = full_period_at(second_half_past_eleven, anchor_on=date(2009, 1, 1), interval=Interval.MONTHLY, tz=ST_JOHNS)
    assert window == period("2009-11-01T02:30", "2009-12-01T03:30")


def test_full_period_refuses_a_naive_moment():
    with pytest.raises(ValueError, match="no time zone"):
        full_period_at(
            datetime(2026, 3, 1),  # noqa: DTZ001
            anchor_on=date(2026, 1, 1),
            interval=Interval.MONTHLY,
            tz=BERLIN,
        )


@pytest.mark.parametrize(
    ("moment", "tz"),
    [
        (datetime.max.replace(tzinfo=UTC), TONGATAPU),
        (datetime.max.replace(tzinfo=UTC), PAGO_PAGO),
        (datetime.min.replace(tzinfo=UTC), PAGO_PAGO),
    ],
)
def test_full_period_beyond_the_calendar_is_out_of_range(moment, tz):
    with pytest.raises(CalendarOutOfRange, match="is outside the years 1 to 9999"):
        full_period_at(moment, anchor_on=date(2026, 1, 31), interval=Interval.MONTHLY, tz=tz)


def test_last_full_period_of_the_calendar_is_found():
    window = full_period_at(
        utc("9999-12-15"), anchor_on=date(2026, 1, 31), interval=Interval.MONTHLY, tz=ZoneInfo("UTC")
    )
    assert window == period("9999-11-30", "9999-12-31")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-09T22:59", None),
        ("2026-01-09T23:00", ("2026-01-09T23:00", "2026-01-30T23:00")),
        ("2026-02-10", ("2026-01-30T23:00", "2026-02-27T23:00")),
        ("2026-03-30T22:00", ("2026-03-30T22:00", "2026-04-15T10:00")),
        ("2026-04-15T09:59", ("2026-03-30T22:00", "2026-04-15T10:00")),
        ("2026-04-15T10:00", None),
    ],
)
@pytest.mark.parametrize("anchor_on", ["2025-10-31", "2026-01-31", "2027-01-31"])
def test_period_at_is_clipped_to_the_life_whichever_side_the_anchor_is(moment, expected, anchor_on):
    found = period_at(
        utc(moment),
        anchor_on=date.fromisoformat(anchor_on),
        interval=Interval.MONTHLY,
        tz=BERLIN,
        starts_at=utc("2026-01-09T23:00"),
        ends_at=utc("2026-04-15T10:00"),
    )
    assert found == (expected and period(*expected))


MONTHLY_FROM_31_JANUARY: dict[str, Any] = {
    "anchor_on": date(2026, 1, 31),
    "interval": Interval.MONTHLY,
    "tz": ZoneInfo("UTC"),
}


@pytest.mark.parametrize(
    ("open_from_at", "until", "bounds"),
    [
        ("2026-01-10", "2026-01-30T23:59", ["2026-01-10"]),
        ("2026-01-10", "2026-01-31", ["2026-01-10", "2026-01-31"]),
        ("2026-01-10", "2026-03-31", ["2026-01-10", "2026-01-31", "2026-02-28", "2026-03-31"]),
        ("2026-02-28", "2026-03-31", ["2026-02-28", "2026-03-31"]),
        ("2026-03-31", "2026-04-14", ["2026-03-31"]),
        ("2026-03-31", "2027-01-01", ["2026-03-31", "2026-04-15"]),
        ("2026-04-15", "2027-01-01", ["2026-04-15"]),
        ("2026-01-31", "2026-01-31", ["2026-01-31"]),
        # Not on a boundary, since the time zone was another one: goes on from there, without overlap.
        ("2026-02-10", "2026-03-31", ["2026-02-10", "2026-02-28", "2026-03-31"]),
        # Before the life: begins with it.
        ("2025-12-01", "2026-01-31", ["2026-01-10", "2026-01-31"]),
    ],
)
def test_periods_due_follow_each_other_up_to_the_end_of_life(open_from_at, until, bounds):
    due = periods_due(
        open_from_at=utc(open_from_at),
        until=utc(until),
        starts_at=utc("2026-01-10"),
        ends_at=utc("2026-04-15"),
        **MONTHLY_FROM_31_JANUARY,
    )
    assert due == tuple(map(period, bounds, bounds[1:]))


def test_periods_due_without_an_end_of_life():
    due = periods_due(
        open_from_at=utc("2026-02-28"),
        until=utc("2026-05-01"),
        starts_at=utc("2026-01-10"),
        ends_at=None,
        **MONTHLY_FROM_31_JANUARY,
    )
    assert due == (period("2026-02-28", "2026-03-31"), period("2026-03-31", "2026-04-30"))


@pytest.mark.parametrize(("most", "count"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_at_most_so_many_periods_are_due(most, count):
    due = periods_due(
        open_from_at=utc("2026-02-28"),
        until=utc("2026-05-01"),
        starts_at=utc("2026-01-10"),
        ends_at=None,
        most=most,
        **MONTHLY_FROM_31_JANUARY,
    )
    assert due == (period("2026-02-28", "2026-03-31"), period("2026-03-31", "2026-04-30"))[:count]


@given(moments, st.integers(0, 1500), st.integers(0, 1500), days, intervals, zones)
def test_periods_due_tile_the_life_and_agree_with_period_at(starts_at, life, until, anchor_on, interval, tz):
    window = {"anchor_on": anchor_on, "interval": interval, "tz": tz}
    ends_at, until = starts_at + timedelta(days=life), starts_at + timedelta(days=until)
    due = periods_due(open_from_at=starts_at, until=until, starts_at=starts_at, ends_at=ends_at, **window)

    at = starts_at
    for one in due:
        assert one == period_at(at, starts_at=starts_at, ends_at=ends_at, **window)
        at = one.ends_at
    following = period_at(at, starts_at=starts_at, ends_at=ends_at, **window)
    assert at <= until
    assert following is None or following.ends_at > until


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "tz", "expected"),
    [
        ("2026-02-28T23:00", "2026-03-31T22:00", BERLIN, 31),
        ("2026-09-30T22:00", "2026-10-31T23:00", BERLIN, 31),
        ("2026-02-28T11:00", "2026-03-31T11:00", TONGATAPU, 31),
        ("2026-03-01T11:00", "2026-04-01T11:00", PAGO_PAGO, 31),
        # A day that is covered in part counts.
        ("2026-03-10T22:30", "2026-03-10T22:45", BERLIN, 1),
        ("2026-03-10T22:30", "2026-03-10T23:30", BERLIN, 2),
        ("2026-03-10T12:00", "2026-03-12T12:00", BERLIN, 3),
        # Apia had no 30 December 2011, whatever its summer time does later.
        ("2011-12-01T10:00", "2011-12-31T10:00", APIA, 30),
        ("2011-12-01T10:00", "2012-04-30T11:00", APIA, 151),
        ("2011-12-29T10:00", "2011-12-30T10:00", APIA, 1),
    ],
)
def test_days_between_counts_local_days_touched(starts_at, ends_at, tz, expected):
    assert days_between(period(starts_at, ends_at), tz) == expected


@given(moments, st.integers(1, 24 * 400), zones)
def test_days_between_counts_what_the_clock_showed(starts_at, hours, tz):
    whole = Period(starts_at, starts_at + timedelta(hours=hours))
    quarters = (starts_at + timedelta(minutes=15 * step) for step in range(hours * 4))
    shown = {moment.astimezone(tz).date() for moment in quarters}
    shown.add((whole.ends_at - timedelta(microseconds=1)).astimezone(tz).date())
    # A clock that falls back over midnight right before the end shows a day more than lies between the ends.
    assert len(shown) - days_between(whole, tz) in (0, 1)


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        (("2026-02-28T23:00", "2026-03-31T22:00"), Coverage(31, 31)),
        (("2026-03-16T23:00", "2026-03-31T22:00"), Coverage(15, 31)),
        (("2026-02-28T23:00", "2026-03-01T23:00"), Coverage(1, 31)),
        (("2026-03-28T23:00", "2026-03-29T22:00"), Coverage(1, 31)),
    ],
)
def test_coverage_counts_calendar_days_of_the_window(covered, expected):
    march = period("2026-02-28T23:00", "2026-03-31T22:00")
    found = coverage(covered=period(*covered), full=march, tz=BERLIN)
    assert found == expected
    assert found.is_whole == (expected.days == 31)


@pytest.mark.parametrize(
    ("covered", "followed_at", "days"),
    [
        # Berlin's 16 March at noon: the 16th is the next line's, also where there is a pause within the day.
        (("2026-02-28T23:00", "2026-03-16T11:00"), "2026-03-16T11:00", 15),
        (("2026-02-28T23:00", "2026-03-16T11:00"), "2026-03-16T22:59", 15),
        (("2026-02-28T23:00", "2026-03-16T11:00"), "2026-03-16T23:00", 16),
        (("2026-02-28T23:00", "2026-03-15T23:00"), "2026-03-15T23:00", 15),
        # Half an hour into Berlin's 17 March, which is still the 16th in UTC.
        (("2026-02-28T23:00", "2026-03-16T23:30"), "2026-03-17T10:00", 16),
        # Within a single day.
        (("2026-03-16T07:00", "2026-03-16T11:00"), "2026-03-16T11:00", 0),
        (("2026-03-16T07:00", "2026-03-16T11:00"), None, 1),
        # Until the next midnight.
        (("2026-03-16T11:00", "2026-03-31T22:00"), "2026-03-31T22:00", 16),
    ],
)
def test_a_day_that_two_lines_share_is_the_later_ones(covered, followed_at, days):
    march = period("2026-02-28T23:00", "2026-03-31T22:00")
    next_at = followed_at and datetime.fromisoformat(followed_at).replace(tzinfo=UTC)
    assert coverage(covered=period(*covered), full=march, tz=BERLIN, followed_at=next_at) == Coverage(days, 31)


def test_coverage_refuses_a_part_outside_of_the_window():
    with pytest.raises(ValueError, match="is not within"):
        coverage(covered=period("2026-02-01", "2026-03-02"), full=period("2026-03-01", "2026-04-01"), tz=BERLIN)


@pytest.mark.parametrize(("covered", "of_days"), [(0, 0), (-1, 31), (32, 31)])
def test_coverage_refuses_impossible_days(covered, of_days):
    with pytest.raises(ValueError, match="cannot be covered"):
        Coverage(covered, of_days)


@pytest.mark.parametrize(
    ("zone", "moment", "midnight_before"),
    [
        ("UTC", "2026-11-27 11:00", "2026-11-27 00:00"),
        ("UTC", "2026-11-27 00:00", "2026-11-27 00:00"),
        ("Europe/Berlin", "2026-11-26 23:30", "2026-11-26 23:00"),
        ("Europe/Berlin", "2026-11-26 22:59", "2026-11-25 23:00"),
        # 1 November begins at 04:00 UTC; an hour later the clock shows 0:00 again, and 31 October is over.
        ("America/Havana", "2026-11-01 05:10", "2026-11-01 04:00"),
        ("America/New_York", "2026-07-16 03:00", "2026-07-15 04:00"),
        # One minute into 7 November the clock goes back into the 6th, which is over already.
        ("America/St_Johns", "2010-11-07 02:45", "2010-11-07 02:30"),
        # 30 December 2011 was skipped: the 31st began at 10:00 UTC.
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),
    ],
)
def test_last_midnight_ends_the_last_day_that_is_over(zone, moment, midnight_before):
    assert last_midnight(utc(moment), tz=ZoneInfo(zone)) == utc(midnight_before)


@pytest.mark.parametrize(
    ("zone", "day", "moment"),
    [
        ("Europe/Berlin", "2026-03-28", "2026-03-28 23:00"),
        # On the 29th the clock goes forward, so the day has 23 hours.
        ("Europe/Berlin", "2026-03-29", "2026-03-29 22:00"),
        ("America/New_York", "2026-07-15", "2026-07-16 04:00"),
        ("Asia/Kathmandu", "2026-12-31", "2026-12-31 18:15"),
    ],
)
def test_a_day_ends_where_the_next_one_begins(zone, day, moment):
    assert end_of(date.fromisoformat(day), tz=ZoneInfo(zone)) == utc(moment)


def test_the_last_day_of_the_calendar_has_no_end():
    with pytest.raises(CalendarOutOfRange, match="The day after 9999-12-31 is outside the years 1 to 9999"):
        end_of(date.max, tz=BERLIN)
