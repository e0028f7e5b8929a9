from datetime import date

import pytest

from billing.models import CloseItem, CloseRun, Invoice
from tests import factories as make
from tests.scenarios.closing import close, issue
from usage import closing

pytestmark = pytest.mark.django_db


@pytest.mark.bound("CLOSE_MAX_PERIODS")
def test_as_many_periods_as_the_limit_are_closed_at_once(settings):
    settings.CLOSE_MAX_PERIODS = 3
    line = make.line(starts_on=date(2026, 1, 1))

    run = close(line.workspace, "2026-04-01")

    assert run.items.get().state == CloseItem.State.DONE
    assert Invoice.objects.count() == 3


@pytest.mark.bound("CLOSE_MAX_PERIODS")
def test_more_periods_than_the_limit_are_parked_with_that_reason_and_stop_nobody_else(settings):
    settings.CLOSE_MAX_PERIODS = 3
    owner = make.workspace()
    recent, ancient = make.line(owner, starts_on=date(2026, 4, 1)), make.line(owner, starts_on=date(26, 4, 1))

    run = close(owner, "2026-05-01")

    parked = run.items.get(state=CloseItem.State.PARKED)
    assert parked.subscription_id == ancient.subscription_id
    assert parked.reason == (
        "More than 3 periods are due at once, the first from 1 Apr 0026."
        " Close up to an earlier day first, or correct the start of the subscription."
    )
    assert [invoice.subscription_id for invoice in Invoice.objects.all()] == [recent.subscription_id]


@pytest.mark.bound("CLOSE_MAX_PERIODS")
def test_the_first_period_is_told_by_its_day_whatever_clocks_showed_then(settings):
    settings.CLOSE_MAX_PERIODS = 3
    # Before 1893, Berlin was 53 minutes and 28 seconds ahead of Greenwich.
    line = make.line(make.workspace(time_zone="Europe/Berlin"), starts_on=date(26, 11, 1))

    assert "the first from 1 Nov 0026." in close(line.workspace, "2026-05-01").items.get().reason


def test_what_is_parked_for_its_many_periods_is_closed_in_steps(settings):
    settings.CLOSE_MAX_PERIODS = 3
    line = make.line(starts_on=date(2026, 1, 1))
    assert close(line.workspace, "2026-05-01").items.get().state == CloseItem.State.PARKED

    for until in ("2026-03-01", "2026-05-01"):
        issue(close(line.workspace, until))

    assert Invoice.objects.count() == 4
    assert not closing.still_parked(workspace_id=line.workspace_id).exists()


def test_the_limit_is_ten_years_of_months():
    line = make.line(starts_on=date(2016, 1, 1))
    assert close(line.workspace, "2026-02-01").items.get().state == CloseItem.State.PARKED
    assert close(line.workspace, "2026-01-01").items.get().state == CloseItem.State.DONE
    assert Invoice.objects.count() == 120


def test_an_automatic_close_leaves_it_to_a_person(settings):
    settings.CLOSE_MAX_PERIODS = 3
    line = make.line(make.workspace(closing="issue", closing_delay_hours=0), starts_on=date(26, 1, 1))
    now = make.moment("2026-02-01")
    for run in closing.close_due(as_of=now, actor=make.ACTOR):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: now, actor=make.ACTOR)

    assert closing.close_due(as_of=now, actor=make.ACTOR) == []
    assert [item.subscription_id for item in closing.still_parked(workspace_id=line.workspace_id)] == [
        line.subscription_id
    ]
    assert CloseRun.objects.get().invoices.count() == 0


def test_the_preview_of_a_start_in_a_distant_year_is_of_one_period(settings):
    settings.CLOSE_MAX_PERIODS = 3
    line = make.line(starts_on=date(2, 1, 1))

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-05-10"))

    assert preview.invoice.period.starts_at == make.moment("0002-01-01")
