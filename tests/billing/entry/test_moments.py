from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.entry.moments import (
    Day,
    DayFormat,
    Moment,
    UnreadDay,
    UnreadMoment,
    offset_of,
    read_day,
    read_moment,
    spell_day,
    spell_moment,
    write_day,
    write_time,
)

pytestmark = pytest.mark.once

ISO, DOTS, DAY_FIRST, MONTH_FIRST = DayFormat
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("style", "text", "day"),
    [
        (ISO, "2026-11-10", date(2026, 11, 10)),
        (DOTS, "2026-11-10", date(2026, 11, 10)),
        (DOTS, "10.11.2026", date(2026, 11, 10)),
        (DOTS, " 1.2.2026 ", date(2026, 2, 1)),
        (DAY_FIRST, "10/11/2026", date(2026, 11, 10)),
        (MONTH_FIRST, "10/11/2026", date(2026, 10, 11)),
        (ISO, "0026-11-01", date(26, 11, 1)),
    ],
)
def test_day_is_read_as_iso_or_by_its_format(style, text, day):
    assert read_day(text, style) == Day(day)


@pytest.mark.parametrize(
    ("style", "text", "readings"),
    [
        (ISO, "10/11/2026", ["Tue 10 Nov 2026", "Sun 11 Oct 2026"]),
        (DOTS, "10/11/2026", ["Tue 10 Nov 2026", "Sun 11 Oct 2026"]),
        (ISO, "20.11.2026", ["Fri 20 Nov 2026"]),
        (DAY_FIRST, "20.11.2026", ["Fri 20 Nov 2026"]),
        (MONTH_FIRST, "20/11/2026", ["Fri 20 Nov 2026"]),
        (ISO, "11/11/2026", ["Wed 11 Nov 2026"]),
        (ISO, "2026-02-30", []),
        (DOTS, "31.11.2026", []),
        (DOTS, "10.11.26", []),
        (ISO, "10-11-2026", []),
        (ISO, "2026-1-2", []),
        (ISO, "20261110", []),
        (ISO, "\u0662\u0660\u0662\u0666-11-10", []),
        (ISO, "", []),
        (ISO, "0000-01-01", []),
        (ISO, "2" * 65, []),
    ],
)
def test_day_that_another_format_reads_is_refused_with_what_it_could_be(style, text, readings):
    refused = read_day(text, style)

    assert isinstance(refused, UnreadDay)
    assert [str(reading) for reading in refused.readings] == readings
    assert all(reading in str(refused) for reading in readings)


@pytest.mark.parametrize("style", DayFormat)
def test_what_is_written_is_read_as_the_same_day(style):
    for day in (date(2026, 2, 1), date(2026, 12, 31), date(1, 1, 1)):
        assert read_day(write_day(day, style), style) == Day(day)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-10 14:30", "2026-11-10T13:30:00+00:00"),
        ("10.11.2026 9:05:07", "2026-11-10T08:05:07+00:00"),
        ("2026-11-10T14:30:00.25", "2026-11-10T13:30:00.250000+00:00"),
        ("2026-11-10T14:30Z", "2026-11-10T14:30:00+00:00"),
        ("2026-11-10 14:30 -05:00", "2026-11-10T19:30:00+00:00"),
    ],
)
def test_moment_is_read_on_the_zones_clock(text, at):
    assert read_moment(text, DOTS, BERLIN) == Moment(datetime.fromisoformat(at), BERLIN)


@pytest.mark.parametrize(
    "text",
    ["2026-11-10", "2026-11-10 ", "2026-11-10 24:00", "2026-11-10 14.30", "2026-11-10 2pm", "14:30", "", "9" * 65]
    + ["2026-11-10 14:30 +25:00", "0001-01-01 00:00", "10/11/2026 14:30", "2026-11-10 12:60"],
)
def test_what_is_no_one_moment_is_refused(text):
    assert isinstance(read_moment(text, DOTS, BERLIN), UnreadMoment)


def test_time_that_the_clock_skips_is_refused_with_a_word():
    assert "02:30 does not exist on Sun 29 Mar 2026" in str(read_moment("2026-03-29 02:30", ISO, BERLIN))


@pytest.mark.parametrize(
    ("zone", "text", "first", "second"),
    [
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30Z +02:00", "2026-10-25T01:30Z +01:00"),
        # Midnight itself is repeated in Havana, and half an hour only on Lord Howe Island.
        ("America/Havana", "2026-11-01 00:00", "2026-11-01T04:00Z -04:00", "2026-11-01T05:00Z -05:00"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45Z +11:00", "2026-04-04T15:15Z +10:30"),
    ],
)
def test_repeated_time_is_told_apart_by_its_offsets(zone, text, first, second):
    tz = ZoneInfo(zone)
    both = [part.split(" ") for part in (first, second)]

    refused = read_moment(text, ISO, tz)

    assert isinstance(refused, UnreadMoment)
    expected = [datetime.fromisoformat(at).astimezone(UTC) for at, _ in both]
    assert [reading.value for reading in refused.readings] == expected
    assert [offset_of(at, tz) for at in expected] == [offset for _, offset in both]
    for at, (_, offset) in zip(expected, both, strict=True):
        assert read_moment(f"{text} {offset}", ISO, tz) == Moment(at, tz)
        assert f"({offset})" in spell_moment(at, tz)
        assert f"({offset})" in str(refused)


def test_moments_are_spelled_out():
    at = datetime(2026, 11, 10, 13, 30, tzinfo=UTC)

    assert spell_day(date(2026, 11, 10)) == "Tue 10 Nov 2026"
    assert spell_moment(at, BERLIN) == "Tue 10 Nov 2026, 14:30"
    assert write_time(at.replace(second=5), BERLIN) == "14:30:05"
