from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import catalog, invoicing
from billing.catalog import EventTerms
from billing.invoicing import Billed, Told
from billing.models import Line
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY = make.moment("2026-01-01"), make.moment("2026-02-01")


def billed(*lines: Line) -> dict:
    with CaptureQueriesContext(connection) as queries:
        found = invoicing.billed_before(
            workspace_id=lines[0].workspace_id, subscription_ids=[line.subscription_id for line in lines]
        )
    assert len(queries) == 1
    return found


def test_nothing_is_billed_before_the_first_close():
    assert billed(make.line()) == {}


def test_it_is_the_sum_of_what_was_billed_for_a_line_and_period_drafts_included():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    assert billed(line) == {(line.pk, JANUARY): Billed(Decimal(20), 31, 31)}

    make.use(line, "1", "2026-01-06")
    make.use(line, "4", "2026-02-06")
    close(line.workspace, "2026-03-01")

    assert billed(line) == {
        (line.pk, JANUARY): Billed(Decimal(22), 31, 31),
        (line.pk, FEBRUARY): Billed(Decimal(8), 28, 28),
    }


def test_it_is_of_the_asked_subscriptions_alone():
    line = make.line()
    other, asked = make.line(line.workspace), make.line(line.workspace)
    for one in (line, other, asked):
        make.use(one, "1", "2026-01-05")
    close(line.workspace, "2026-02-01")

    assert billed(line, asked).keys() == {(line.pk, JANUARY), (asked.pk, JANUARY)}


def test_what_was_told_last_is_of_the_line_that_was_counted_last():
    line = make.line()
    make.use(line, "-5", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    windows = [(line.pk, JANUARY)]
    told = invoicing.last_told(workspace_id=line.workspace_id, windows=windows)
    assert told == {(line.pk, JANUARY): Told("negative quantity rated as zero", {})}

    make.use(line, "9", "2026-01-06")
    close_and_issue(line.workspace, "2026-03-01")

    assert invoicing.last_told(workspace_id=line.workspace_id, windows=windows) == {(line.pk, JANUARY): Told("", {})}


def test_events_are_counted_again_by_the_rule_that_billed_them():
    customer = make.customer(make.workspace(), reference="gx")
    brick = make.event_brick(customer.workspace)
    line = make.counting_line(customer, brick)
    make.event(customer.workspace, "gx", "2026-01-10")
    former = brick.event_rules.get()
    close_and_issue(customer.workspace, "2026-02-01")
    changed = EventTerms("message-sent", "sum", "size")
    catalog.set_event_rule(brick=brick, rule=changed, as_of=FEBRUARY, actor=make.ACTOR)

    asked = {"workspace_id": customer.workspace_id}
    assert invoicing.billed_rules(**asked, line_ids=[line.pk]) == {(line.pk, JANUARY): former}
    assert invoicing.billed_rules(**asked, line_ids=[line.pk + 1]) == {}
