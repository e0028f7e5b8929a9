"""The periods of a subscription, from its anchor day and its life. Nothing here is saved."""

from datetime import date, datetime

import pytest

from billing.calendar import CalendarOutOfRange
from billing.contracts.periods import next_close_at, open_period, period_around
from billing.models import Subscription, Workspace
from tests.factories import moment

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
