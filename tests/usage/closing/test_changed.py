"""Closed periods whose records changed since they were counted."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice, Line
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close_and_issue, totals
from usage import closing, ledger

pytestmark = pytest.mark.django_db


def changed(*lines: Line, cutoff: int | None = None) -> dict[int, list[str]]:
    """Per line the months of its changed periods; found with one query."""
    workspace_id = lines[0].workspace_id
    last = ledger.last_id(workspace_id=workspace_id) if cutoff is None else cutoff
    with CaptureQueriesContext(connection) as queries:
        found = closing.changed_periods(
            workspace_id=workspace_id, subscription_ids=[line.subscription_id for line in lines], cutoff=last
        )
    assert len(queries) == 1
    return {line_id: [f"{period.starts_at:%B}" for period in periods] for line_id, periods in found.items()}


def closed(aggregation: str = "sum") -> Line:
    """A line with 10 on 5 January and 20 on 5 February, both months closed and issued."""
    line = make.line(aggregation=aggregation)
    make.use(line, "10", "2026-01-05")
    make.use(line, "20", "2026-02-05")
    close_and_issue(line.workspace, "2026-03-01")
    return line


def test_nothing_has_changed_when_it_was_just_counted():
    line = closed()
    make.use(line, "1", "2026-03-05")

    assert changed(line) == {}


def test_a_late_record_changes_the_period_that_it_is_dated_in():
    line = closed()
    make.use(line, "1", "2026-01-31 23:59:59", recorded_at="2026-03-05")

    assert changed(line) == {line.pk: ["January"]}


def test_a_record_that_moves_changes_the_period_that_it_leaves_as_well():
    line = closed()
    late = make.use(line, "1", "2026-01-06", recorded_at="2026-03-05")
    close_and_issue(line.workspace, "2026-04-01")
    make.fix(late, at="2026-02-06")

    assert changed(line) == {line.pk: ["January", "February"]}


def test_a_record_that_is_taken_back_changes_its_period():
    line = closed()
    make.take_back(make.use(line, "1", "2026-02-06", recorded_at="2026-03-05"))

    assert changed(line) == {line.pk: ["February"]}


def test_what_came_after_the_cutoff_is_left_to_the_next_one():
    line = closed()
    cutoff = ledger.last_id(workspace_id=line.workspace_id)
    make.use(line, "1", "2026-01-06", recorded_at="2026-03-05")

    assert changed(line, cutoff=cutoff) == {}


def test_a_gauges_change_reaches_into_the_later_periods():
    line = closed("unit_days")
    make.use(line, "11", "2026-01-06", recorded_at="2026-03-05")

    assert changed(line) == {line.pk: ["January", "February"]}


def test_an_event_changes_the_lines_that_count_its_type():
    customer = make.customer(make.workspace(), reference="gx")
    counting = make.counting_line(customer, make.event_brick(customer.workspace))
    others = make.counting_line(customer, make.event_brick(customer.workspace, "Calls", event_type="call"))
    close_and_issue(customer.workspace, "2026-02-01")
    make.event(customer.workspace, "gx", "2026-01-10", recorded_at="2026-02-05")

    assert changed(counting, others) == {counting.pk: ["January"]}


def test_only_the_asked_subscriptions_are_looked_at():
    line = closed()
    other = make.line(line.workspace, ends_on=date(2026, 2, 1))
    make.use(line, "1", "2026-01-06", recorded_at="2026-03-05")

    assert changed(other) == {}


def test_a_late_gauge_value_reaches_into_every_later_period():
    # A value of 1 from 1 January on; late, on 31 January, 3: 1 day of 2 more in January, 28 days of 2 more in February.
    line = make.line(aggregation="unit_days", unit_price="1")
    make.use(line, "1", "2026-01-01")
    close_and_issue(line.workspace, "2026-02-01")
    close_and_issue(line.workspace, "2026-03-01")
    make.use(line, "3", "2026-01-31", recorded_at="2026-03-05")

    close_and_issue(line.workspace, "2026-04-01")

    assert totals(line.workspace) == ["31.00", "28.00", "151.00"]
    last = Invoice.objects.order_by("id").last()
    assert [(row.kind, str(row.amount)) for row in last.lines.order_by("position")] == [
        ("usage", "93.0000"),
        ("true_up", "2.0000"),
        ("true_up", "56.0000"),
    ]
    assert all_replay_identically(line.workspace)
