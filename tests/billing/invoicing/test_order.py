"""The order among runs with drafts of the same subscriptions."""

from datetime import date

import pytest

from billing.invoicing.order import MOST_NAMED, named, runs_that_build_on, runs_with_earlier_drafts
from billing.models import CloseItem, CloseRun, Line
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue

pytestmark = pytest.mark.django_db


def runs(line: Line, *until: str) -> list[CloseRun]:
    """Close one month after the other, as a database may have them from before runs held their subscriptions."""
    found = []
    for at in until:
        found.append(close(line.workspace, at))
        CloseItem.objects.update(holds_subscription=False)
    return found


def test_a_later_run_waits_for_the_drafts_of_an_earlier_one():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    make.use(line, "1", "2026-02-10")
    january, february, march = runs(line, "2026-02-01", "2026-03-01", "2026-04-01")

    waits_for = [set(runs_with_earlier_drafts(run)) for run in (january, february, march)]
    assert waits_for == [set(), {january}, {january, february}]


def test_what_was_issued_is_waited_for_no_more():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-02-10")

    assert list(runs_with_earlier_drafts(close(line.workspace, "2026-03-01"))) == []


def test_a_run_is_built_on_by_those_that_closed_later_periods():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    january, february, march = runs(line, "2026-02-01", "2026-03-01", "2026-04-01")

    assert set(runs_that_build_on(january)) == {february, march}
    assert set(runs_that_build_on(february)) == {march}
    assert set(runs_that_build_on(march)) == set()


def test_a_run_is_built_on_by_one_that_invoiced_its_subscription_later():
    # Of an ended subscription, differences are invoiced without a further period.
    line = make.line(ends_on=date(2026, 2, 1))
    make.use(line, "1", "2026-01-10")
    january = close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "2", "2026-01-20", recorded_at="2026-02-05")
    (true_up,) = runs(line, "2026-02-10")

    assert list(runs_that_build_on(january)) == [true_up]
    assert list(runs_that_build_on(true_up)) == []


def test_runs_of_other_subscriptions_do_not_matter():
    first = make.line()
    make.use(first, "1", "2026-01-10")
    (january,) = runs(first, "2026-02-01")
    second = make.line(make.workspace("initech"))
    make.use(second, "1", "2026-01-10")
    (other,) = runs(second, "2026-02-01")

    assert list(runs_with_earlier_drafts(other)) == list(runs_that_build_on(january)) == []


def test_the_first_of_many_runs_are_named(django_assert_num_queries):
    line = make.line()
    found = runs(line, *(f"2026-{month:02}-01" for month in range(2, 2 + MOST_NAMED + 1)))

    with django_assert_num_queries(1):
        assert named(CloseRun.objects.filter(workspace=line.workspace)) == ", ".join(map(str, found[:MOST_NAMED]))
    assert named(CloseRun.objects.none()) == ""
