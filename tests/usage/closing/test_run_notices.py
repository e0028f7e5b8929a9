"""Notices of a run that no invoice carries: kept with its items, and read in order."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.calendar import Period
from billing.models import CloseRun, InvoiceLine, Line
from billing.rating import Charge
from tests import factories as make
from tests.billing.invoicing.test_drafts import JANUARY, draft_line, draft_of
from usage import closing
from usage.closing.run_notices import keep_notices, notices_of_run

pytestmark = pytest.mark.django_db

DECEMBER = Period(make.moment("2025-12-01"), make.moment("2026-01-01"))
# It costs what was billed: of its true-up, there is nothing to invoice.
AS_BILLED = Charge(amount=Decimal("10.00"), unrounded=Decimal(10), steps=(), surprise="")


def untold(line: Line, *notices: str, period: Period = JANUARY):
    """A true-up of zero, with what a reviewer is to be told of it."""
    kind = InvoiceLine.Kind.TRUE_UP
    values = {"kind": kind, "charge": AS_BILLED, "billed_before": Decimal(10), "period": period, "notices": notices}
    return draft_line(line, **values)


def run_over(line: Line) -> CloseRun:
    at = make.moment("2026-02-01")
    return closing.start(workspace=line.workspace, until_at=at, as_of=at, actor=make.ACTOR)


def test_notices_of_what_becomes_no_invoice_are_kept_and_read():
    line = make.line()
    run = run_over(line)
    lines = [untold(line, "late usage", period=DECEMBER), untold(line), untold(line, "unread", "missing")]

    keep_notices(run=run, drafts=[draft_of(line, *lines, closes=False)])

    found = notices_of_run(run, most=10)
    assert [(notice.starts_at, notice.ends_at, list(notice.surprises)) for notice in found] == [
        (DECEMBER.starts_at, DECEMBER.ends_at, ["late usage"]),
        (JANUARY.starts_at, JANUARY.ends_at, ["unread", "missing"]),
    ]
    assert {(notice.line, notice.subscription, notice.description) for notice in found} == {
        (line, line.subscription, "API calls")
    }


def test_what_rating_finds_surprising_is_told_first():
    line = make.line()
    run = run_over(line)
    surprising = replace(untold(line, "late usage"), charge=replace(AS_BILLED, surprise="negative"))

    keep_notices(run=run, drafts=[draft_of(line, surprising, closes=False)])

    assert [list(notice.surprises) for notice in notices_of_run(run, most=10)] == [["negative", "late usage"]]


def test_an_invoice_carries_its_own_notices():
    line = make.line()
    run = run_over(line)

    keep_notices(run=run, drafts=[draft_of(line, draft_line(line), untold(line, "late usage", period=DECEMBER))])

    assert notices_of_run(run, most=10) == []
    assert list(run.items.values_list("notices", flat=True)) == [[]]


def test_without_a_notice_nothing_is_kept():
    line = make.line()
    run = run_over(line)

    keep_notices(run=run, drafts=[draft_of(line, untold(line), closes=False)])

    assert notices_of_run(run, most=10) == []


def test_so_many_are_read_with_two_queries(django_assert_num_queries):
    line = make.line()
    run = run_over(line)
    keep_notices(run=run, drafts=[draft_of(line, *(untold(line, f"notice {n}") for n in range(5)), closes=False)])

    with django_assert_num_queries(2):
        found = notices_of_run(run, most=3)

    assert [list(notice.surprises) for notice in found] == [["notice 0"], ["notice 1"], ["notice 2"]]
