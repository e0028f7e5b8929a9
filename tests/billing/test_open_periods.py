"""The periods of a subscription that are not closed: those that are over, and the running one."""

from datetime import date

import pytest

from billing.models import Subscription, Workspace
from billing.open_periods import count_open, periods_over
from tests.factories import moment

pytestmark = pytest.mark.once


def agreed(*, open_from: str = "2026-01-01", ends: str | None = None, next_close: str | None = "2026-02-01"):
    """A monthly subscription from 1 January 2026, which is not saved."""
    return Subscription(
        workspace=Workspace(time_zone="UTC"),
        anchor_on=date(2026, 1, 1),
        interval=Subscription.Interval.MONTHLY,
        starts_at=moment("2026-01-01"),
        ends_at=None if ends is None else moment(ends),
        open_from_at=moment(open_from),
        next_close_at=None if next_close is None else moment(next_close),
    )


@pytest.mark.parametrize(
    ("until", "most", "ends"),
    [
        ("2026-01-31", 12, []),
        ("2026-02-01", 12, ["2026-02-01"]),
        ("2026-03-31", 12, ["2026-02-01", "2026-03-01"]),
        ("2026-12-31", 3, ["2026-02-01", "2026-03-01", "2026-04-01"]),
    ],
)
def test_periods_that_are_over_come_in_order_up_to_so_many(until, most, ends):
    found = periods_over(agreed(), moment(until), most=most)

    assert [period.ends_at for period in found] == [moment(end) for end in ends]


def test_what_was_closed_is_not_over_again():
    found = periods_over(agreed(open_from="2026-03-01"), moment("2026-04-01"), most=12)

    assert [(period.starts_at, period.ends_at) for period in found] == [(moment("2026-03-01"), moment("2026-04-01"))]


@pytest.mark.parametrize(
    ("of", "as_of", "count"),
    [
        (agreed(), "2025-12-31 23:59", 0),
        (agreed(), "2026-01-01", 1),
        (agreed(), "2026-01-31", 1),
        # January is over, and February runs.
        (agreed(), "2026-02-01", 2),
        (agreed(), "2026-04-15", 4),
        # Closed ahead of time to the end of March, as an API may: April is the open one.
        (agreed(open_from="2026-04-01", next_close="2026-05-01"), "2026-02-15", 1),
        # Ended on 15 March: two months and a half are open, and none runs any more.
        (agreed(ends="2026-03-15"), "2026-06-01", 3),
        (agreed(open_from="2026-03-15", ends="2026-03-15", next_close=None), "2026-06-01", 0),
    ],
)
def test_open_periods_are_those_that_are_over_and_the_running_one(of, as_of, count):
    assert count_open(of, as_of=moment(as_of), most=12) == count


def test_more_than_so_many_are_not_counted():
    # Three that are over, and the running one stands for all others.
    assert count_open(agreed(), as_of=moment("2027-01-15"), most=3) == 4
