from datetime import date
from decimal import Decimal

import pytest

from billing import contracts
from billing.models import Line
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from usage import ledger
from usage.closing.drafting.line_periods import LinePeriod, line_periods_of
from usage.closing.due import dues_of, lines_of

pytestmark = pytest.mark.django_db


def line_periods(*lines: Line, until: str) -> list[LinePeriod]:
    subscriptions = list({line.subscription_id: line.subscription for line in lines}.values())
    for subscription in subscriptions:
        subscription.refresh_from_db()
    workspace_id = lines[0].workspace_id
    dues = dues_of(subscriptions, lines_of(subscriptions, workspace_id=workspace_id), make.moment(until))
    return line_periods_of(dues, cutoff=ledger.last_id(workspace_id=workspace_id))


def spans(found: list[LinePeriod]) -> list[tuple[str, str, str]]:
    return [(each.kind, f"{each.covered.starts_at:%m-%d}", f"{each.covered.ends_at:%m-%d}") for each in found]


def test_nothing_is_due_of_nobody(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert line_periods_of([], cutoff=0) == []


def test_each_line_is_measured_in_the_part_of_each_due_period_that_it_covers():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-02-16"), actor=make.ACTOR)
    later = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=line.price,
        starts_at=make.moment("2026-02-16"),
        actor=make.ACTOR,
    )

    found = line_periods(line, later, until="2026-03-01")

    assert [(each.line.pk, each.invoice) for each in found] == [(line.pk, 0), (line.pk, 1), (later.pk, 1)]
    assert spans(found) == [("usage", "01-01", "02-01"), ("usage", "02-01", "02-16"), ("usage", "02-16", "03-01")]
    assert [(each.coverage.days, each.coverage.of_days) for each in found] == [(31, 31), (15, 28), (13, 28)]


def test_a_changed_period_comes_with_what_was_billed_and_goes_to_the_first_draft():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-06", recorded_at="2026-02-05")

    found = line_periods(line, until="2026-04-01")

    assert spans(found) == [("usage", "02-01", "03-01"), ("usage", "03-01", "04-01"), ("true_up", "01-01", "02-01")]
    assert [(each.invoice, each.billed_before) for each in found] == [(0, 0), (1, 0), (0, Decimal(20))]
    assert found[2].window == (line.pk, make.moment("2026-01-01"))
    assert found[2].is_true_up


def test_differences_wait_where_no_period_is_due_unless_the_subscription_has_ended():
    line = make.line()
    ended = make.line(line.workspace, ends_on=date(2026, 2, 1))
    close_and_issue(line.workspace, "2026-02-01")
    for one in (line, ended):
        make.use(one, "1", "2026-01-06", recorded_at="2026-02-05")

    found = line_periods(line, ended, until="2026-02-10")

    assert [(each.line.pk, each.kind) for each in found] == [(ended.pk, "true_up")]
