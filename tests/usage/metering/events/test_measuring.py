"""A customer's events are measured by rules."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import catalog, parties
from tests import factories as make
from tests.usage.metering.windows import EVER, measured, rule_of, sent, window
from usage.metering import Measurement, Window, measure

pytestmark = pytest.mark.django_db


def test_no_event_is_zero(globex):
    assert [measured(globex, "count"), measured(globex, "sum", property="n")] == ["0 of 0"] * 2


def test_events_count_from_the_start_and_not_at_the_end_of_the_window(globex):
    for at in ("2025-12-31 23:59:59.999999", "2026-01-01", "2026-01-31 23:59:59.999999", "2026-02-01"):
        sent(globex, at)

    assert measured(globex) == "2 of 2"


def test_only_events_of_the_customer_and_the_type_count(globex):
    make.customer(globex.workspace, "Initech", aliases=["in"])
    sent(globex)
    sent(globex, event_type="Message-sent")
    make.event(globex.workspace, "in", "2026-01-10")
    make.event(globex.workspace, "unknown", "2026-01-10")

    assert measured(globex) == "1 of 1"


def test_an_event_superseded_after_the_cutoff_still_counts_as_of_it(globex):
    rule = rule_of(globex, "sum", property="n")
    first = sent(globex, key="m-1", n=5)
    second = sent(globex, key="m-1", n=7)
    retraction = make.take_event_back(second)

    found = measure([window(globex, rule, cutoff=event.id) for event in (first, second, retraction)])

    assert [one.quantity for one in found] == [5, 7, 0]


def test_an_event_that_waited_counts_from_its_match_on(globex):
    rule = rule_of(globex)
    waiting = make.event(globex.workspace, "later", "2026-01-10")
    parties.add_alias(customer=globex, value="later", actor=make.ACTOR)

    found = measure([window(globex, rule, cutoff=cutoff) for cutoff in (waiting.id, EVER)])

    assert [one.quantity for one in found] == [0, 1]


def test_many_windows_of_two_rules_take_two_queries(globex):
    rules = [rule_of(globex), rule_of(globex, "sum", property="n")]
    for day in range(1, 21):
        sent(globex, f"2026-01-{day:02d} 12:00", n=day)
    days = [(f"2026-01-{day:02d}", f"2026-01-{day + 1:02d}") for day in range(1, 31)]

    with CaptureQueriesContext(connection) as queries:
        found = measure([window(globex, rule, *day) for day in days for rule in rules])

    assert len(queries) == 2
    assert [int(one.quantity) for one in found[::2]] == [1] * 20 + [0] * 10
    assert [int(one.quantity) for one in found[1::2]] == [*range(1, 21)] + [0] * 10


def test_windows_of_lines_and_of_events_are_measured_together(globex):
    line = make.line(globex.workspace)
    make.use(line, "3", "2026-01-10")
    sent(globex)
    of_line = Window(line.workspace_id, "sum", line.pk, make.moment("2026-01-01"), make.moment("2026-02-01"), EVER)

    found = measure([window(globex, rule_of(globex)), of_line, window(globex, rule_of(globex, event_type="call"))])

    assert found == [Measurement(Decimal(1), 1), Measurement(Decimal(3), 1), Measurement(Decimal(0), 0)]


def test_a_rule_that_was_replaced_still_measures(globex):
    brick = make.event_brick(globex.workspace)
    former = brick.event_rules.get()
    catalog.set_event_rule(
        brick=brick, rule=catalog.EventTerms("call", "count"), as_of=make.moment("2026-02-01"), actor=make.ACTOR
    )
    sent(globex)

    assert [one.quantity for one in measure([window(globex, former)])] == [1]
