from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from billing import invoicing
from billing.models import BillingPeriod, Change, CloseRun, Invoice, Line, Subscription
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, totals

pytestmark = pytest.mark.django_db


def test_discarded_drafts_are_computed_anew():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    before = (Subscription.objects.values().get(), Line.objects.values().get())
    run = close(line.workspace, "2026-02-01")
    make.use(line, "5", "2026-01-06", recorded_at="2026-02-01")

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-02-02"))

    assert (Subscription.objects.values().get(), Line.objects.values().get()) == before
    assert (Invoice.objects.count(), BillingPeriod.objects.count()) == (0, 0)
    run.refresh_from_db()
    assert (run.state, run.decided_by) == (CloseRun.State.DISCARDED, "finance")
    close_and_issue(line.workspace, "2026-02-01")
    assert totals(line.workspace) == ["30.00"]


def test_a_discarded_true_up_comes_again():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-06")
    invoicing.discard(
        run=close(line.workspace, "2026-03-01"), actor=make.actor("finance"), as_of=make.moment("2026-03-01")
    )

    close_and_issue(line.workspace, "2026-03-01")

    assert totals(line.workspace) == ["20.00", "2.00"]
    assert all_replay_identically(line.workspace)


# Statements have a bounded number of parameters, however many subscriptions a run has.
SUBSCRIPTIONS = 40


@contextmanager
def parameters() -> Iterator[list[tuple[int, str]]]:
    """Give each statement with how many parameters it has."""
    found: list[tuple[int, str]] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((0 if many else len(params or ()), sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield found


def test_a_run_of_any_size_is_discarded():
    owner = make.workspace()
    for _ in range(SUBSCRIPTIONS):
        make.use(make.line(owner), "3", "2026-01-10")
    run = close(owner, "2026-02-01")
    assert (run.invoices.count(), run.periods.count()) == (SUBSCRIPTIONS, SUBSCRIPTIONS)

    with parameters() as found:
        invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-02-01"))

    assert max(found)[0] < SUBSCRIPTIONS, max(found)
    assert not Invoice.objects.exists()
    assert not BillingPeriod.objects.exists()
    opened = {"open_from_at": make.moment("2026-01-01"), "next_close_at": make.moment("2026-02-01")}
    assert Subscription.objects.filter(**opened).count() == SUBSCRIPTIONS
    assert Line.objects.filter(open_from_at=make.moment("2026-01-01"), cutoff=0).count() == SUBSCRIPTIONS
    assert CloseRun.objects.get().state == CloseRun.State.DISCARDED


def test_lines_fall_back_to_what_earlier_invoices_have_counted():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    line.refresh_from_db()
    counted = line.cutoff
    make.use(line, "1", "2026-02-05")
    run = close(line.workspace, "2026-03-01")
    line.refresh_from_db()
    assert line.cutoff > counted

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-03-01"))

    line.refresh_from_db()
    assert (line.cutoff, line.open_from_at) == (counted, make.moment("2026-02-01"))


def test_a_discard_is_in_the_history_with_both_states():
    run = close(make.line().workspace, "2026-02-01")

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-02-01"))

    newest = Change.objects.filter(subject="closerun", subject_id=str(run.pk)).latest("pk")
    assert (newest.action, newest.values) == ("changed", {"state": ["review", "discarded"]})
