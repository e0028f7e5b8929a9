from datetime import date

import pytest

from billing.models import BillingPeriod, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close_and_issue, totals

pytestmark = pytest.mark.django_db


# Time zone, and the first moments of January and February in UTC.
ZONES = [
    ("Pacific/Tongatapu", "2025-12-31 11:00", "2026-01-31 11:00"),
    ("Pacific/Pago_Pago", "2026-01-01 11:00", "2026-02-01 11:00"),
    ("Asia/Kathmandu", "2025-12-31 18:15", "2026-01-31 18:15"),
]


@pytest.mark.parametrize(("tz", "starts", "ends"), ZONES)
def test_a_month_is_the_workspaces_month(tz, starts, ends):
    line = make.line(make.workspace(time_zone=tz))
    make.use(line, "1", "2026-01-01 00:00", tz=tz)
    make.use(line, "2", "2026-01-31 23:59:59", tz=tz)
    make.use(line, "40", "2026-02-01 00:00", tz=tz)

    close_and_issue(line.workspace, "2026-02-01", tz=tz)

    period = BillingPeriod.objects.get()
    assert (period.starts_at, period.ends_at) == (make.moment(starts), make.moment(ends))
    assert totals(line.workspace) == ["6.00"]
    assert all_replay_identically(line.workspace)


def test_a_month_is_not_over_before_it_is_over_there():
    line = make.line(make.workspace(time_zone="Pacific/Pago_Pago"))
    make.use(line, "1", "2026-01-31 20:00", tz="Pacific/Pago_Pago")

    with pytest.raises(Exception, match="No period"):
        close_and_issue(line.workspace, "2026-02-01", tz="UTC")

    close_and_issue(line.workspace, "2026-02-01", tz="Pacific/Pago_Pago")
    assert totals(line.workspace) == ["2.00"]


# A gauge of 24 units at $1 for a month: 24 x days, less or plus the hour of the clock change.
@pytest.mark.parametrize(
    ("month", "until", "hours", "total"),
    [(date(2026, 3, 1), "2026-04-01", 743, "743.00"), (date(2026, 10, 1), "2026-11-01", 745, "745.00")],
)
def test_a_month_with_a_clock_change_counts_its_hours(month, until, hours, total):
    tz = "Europe/Berlin"
    line = make.line(make.workspace(time_zone=tz), aggregation="unit_days", unit_price="1", starts_on=month)
    make.use(line, "24", f"{month} 00:00", tz=tz)

    close_and_issue(line.workspace, until, tz=tz)

    assert totals(line.workspace) == [total]
    assert InvoiceLine.objects.get().quantity == hours


def test_periods_from_the_31st_end_with_the_shorter_months():
    line = make.line(starts_on=date(2026, 1, 31))
    for at in ("2026-02-27 23:59", "2026-02-28", "2026-03-30 23:59", "2026-03-31"):
        make.use(line, "1", at)

    close_and_issue(line.workspace, "2026-05-01")

    spans = BillingPeriod.objects.order_by("starts_at").values_list("starts_at", "ends_at")
    days = [("2026-01-31", "2026-02-28"), ("2026-02-28", "2026-03-31"), ("2026-03-31", "2026-04-30")]
    assert list(spans) == [(make.moment(start), make.moment(end)) for start, end in days]
    assert totals(line.workspace) == ["2.00", "4.00", "2.00"]


def test_a_subscription_from_the_middle_of_a_window_has_a_short_first_and_last_period():
    line = make.line(starts_on=date(2026, 1, 20), anchor_on=date(2026, 1, 1), ends_on=date(2026, 3, 10))

    close_and_issue(line.workspace, "2026-04-01")

    spans = BillingPeriod.objects.order_by("starts_at").values_list("starts_at", "ends_at")
    days = [("2026-01-20", "2026-02-01"), ("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-03-10")]
    assert list(spans) == [(make.moment(start), make.moment(end)) for start, end in days]


@pytest.mark.parametrize(("interval", "ends"), [("quarterly", "2026-04-01"), ("yearly", "2027-01-01")])
def test_longer_intervals(interval, ends):
    line = make.line(interval=interval)
    make.use(line, "1", "2026-03-31 23:00")

    close_and_issue(line.workspace, ends)

    assert BillingPeriod.objects.get().ends_at == make.moment(ends)
    assert totals(line.workspace) == ["2.00"]


# Tiers at, below and above each bound: 10 at $5, up to 20 at $4, the rest at $3; each tier entered costs its fee.
TIERS = [("10", "5", "0"), ("20", "4", "1"), (None, "3", "2")]


@pytest.mark.parametrize(
    ("model", "quantity", "total"),
    [
        ("graduated", "0", "0.00"),
        ("graduated", "9", "45.00"),
        ("graduated", "10", "50.00"),
        ("graduated", "11", "55.00"),
        ("graduated", "20", "91.00"),
        ("graduated", "21", "96.00"),
        ("volume", "0", "0.00"),
        ("volume", "9", "45.00"),
        ("volume", "10", "50.00"),
        ("volume", "11", "45.00"),
        ("volume", "20", "81.00"),
        ("volume", "21", "65.00"),
    ],
)
def test_tiers_from_the_ledger_to_the_invoice(model, quantity, total):
    line = make.line(model=model, tiers=TIERS)
    make.use(line, quantity, "2026-01-10")

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == [total]
