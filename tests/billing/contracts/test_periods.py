"""The periods of a subscription, from its anchor day and its life. Nothing here is saved."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.calendar import CalendarOutOfRange
from billing.contracts.periods import (
    coverage_of,
    full_period,
    next_close_at,
    open_period,
    period_around,
    periods_from,
)
from billing.models import Subscription, Workspace
from tests.factories import moment

pytestmark = pytest.mark.once

BERLIN = "Europe/Berlin"


def agreed(starts: str, ends: str | None = None, *, open_from: str | None = None, **fields) -> Subscription:
    starts_at = moment(starts, tz=BERLIN)
    return Subscription(
        **{"anchor_on": date(2026, 1, 31), "interval": Subscription.Interval.MONTHLY} | fields,
        workspace=Workspace(time_zone=BERLIN),
        starts_at=starts_at,
        ends_at=None if ends is None else moment(ends, tz=BERLIN),
        open_from_at=starts_at if open_from is None else moment(open_from, tz=BERLIN),
    )


def around(of: Subscription, at: str) -> tuple[datetime, datetime] | None:
    found = period_around(of, moment(at, tz=BERLIN))
    return None if found is None else (found.starts_at, found.ends_at)


def span(starts: str, ends: str) -> tuple[datetime, datetime]:
    return moment(starts, tz=BERLIN), moment(ends, tz=BERLIN)


@pytest.mark.parametrize(
    ("at", "period"),
    [
        ("2026-01-31", ("2026-01-31", "2026-02-28")),
        ("2026-02-27 23:59", ("2026-01-31", "2026-02-28")),
        ("2026-02-28", ("2026-02-28", "2026-03-31")),
        # The clock goes forward on 29 March: the period ends at midnight all the same.
        ("2026-03-31", ("2026-03-31", "2026-04-30")),
        # Cut off by the end of the subscription.
        ("2026-05-10", ("2026-04-30", "2026-05-15")),
    ],
)
def test_a_period_is_counted_from_the_anchor_at_midnight_of_the_workspace(at, period):
    assert around(agreed("2026-01-31", "2026-05-15"), at) == span(*period)


def test_the_first_period_begins_with_the_subscription():
    assert around(agreed("2026-02-10"), "2026-02-20") == span("2026-02-10", "2026-02-28")


@pytest.mark.parametrize("at", ["2026-01-30 23:59", "2026-05-15", "2027-01-01"])
def test_outside_of_its_life_a_subscription_has_no_period(at):
    assert around(agreed("2026-01-31", "2026-05-15"), at) is None


def test_an_interval_is_that_of_the_subscription():
    quarterly = agreed("2026-01-31", interval=Subscription.Interval.QUARTERLY)

    assert around(quarterly, "2026-04-01") == span("2026-01-31", "2026-04-30")


def test_a_subscription_is_due_when_its_first_open_period_ends():
    of = agreed("2026-01-31", "2026-05-15", open_from="2026-03-31")
    period = open_period(of)

    assert period is not None
    assert (period.starts_at, period.ends_at) == span("2026-03-31", "2026-04-30")
    assert next_close_at(of) == moment("2026-04-30", tz=BERLIN)


def test_a_subscription_that_is_closed_to_its_end_is_never_due():
    of = agreed("2026-01-31", "2026-05-15", open_from="2026-05-15")

    assert (open_period(of), next_close_at(of)) == (None, None)


def test_a_voided_subscription_has_no_period():
    assert around(agreed("2026-01-31", "2026-01-31"), "2026-01-31") is None


def test_what_lies_beyond_the_calendar_is_refused():
    with pytest.raises(CalendarOutOfRange):
        around(agreed("9999-12-01"), "9999-12-31 12:00")


@pytest.mark.parametrize(
    ("starts", "until", "most", "periods"),
    [
        ("2026-02-28", "2026-04-30", None, [("2026-02-28", "2026-03-31"), ("2026-03-31", "2026-04-30")]),
        ("2026-02-28", "2026-04-29", None, [("2026-02-28", "2026-03-31")]),
        ("2026-02-28", "2027-01-01", 1, [("2026-02-28", "2026-03-31")]),
        # From within a period: the rest of it.
        ("2026-03-10", "2026-04-30", None, [("2026-03-10", "2026-03-31"), ("2026-03-31", "2026-04-30")]),
        # Nothing before the subscription begins.
        ("2025-11-01", "2026-02-28", None, [("2026-01-31", "2026-02-28")]),
    ],
)
def test_periods_follow_from_a_moment_on(starts, until, most, periods):
    found = periods_from(agreed("2026-01-31"), moment(starts, tz=BERLIN), until=moment(until, tz=BERLIN), most=most)

    assert [(period.starts_at, period.ends_at) for period in found] == [span(*period) for period in periods]


def test_a_full_period_goes_on_beyond_the_life_of_its_subscription():
    of = agreed("2026-02-10", "2026-02-20")

    found = full_period(of, moment("2026-02-15", tz=BERLIN), tz=ZoneInfo(BERLIN))

    assert (found.starts_at, found.ends_at) == span("2026-01-31", "2026-02-28")


def test_a_part_of_a_period_covers_its_days_of_the_whole():
    # 10 to 19 February, of the 28 days from 31 January to 27 February.
    of = agreed("2026-02-10", "2026-02-19 12:00")
    covered = period_around(of, moment("2026-02-15", tz=BERLIN))
    assert covered is not None

    found = coverage_of(of, covered, tz=ZoneInfo(BERLIN))

    assert (found.days, found.of_days) == (10, 28)
    # A line of the brick that begins at the same noon has the day that both touch.
    followed = coverage_of(of, covered, tz=ZoneInfo(BERLIN), followed_at=covered.ends_at)
    assert (followed.days, followed.of_days) == (9, 28)
