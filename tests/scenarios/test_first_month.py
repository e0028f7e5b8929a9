from datetime import date

import pytest

from billing.models import CloseRun, Invoice, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, totals
from usage import closing

pytestmark = pytest.mark.django_db


def test_gauge_of_the_vendors_example_is_226_dollars():
    line = make.line(aggregation="unit_days", ends_on=date(2026, 1, 24))
    for quantity, at in [("3", "2026-01-01"), ("4", "2026-01-07"), ("8", "2026-01-15"), ("5", "2026-01-21")]:
        make.use(line, quantity, at)

    run = close_and_issue(line.workspace, "2026-02-01")

    invoice = Invoice.objects.get()
    assert run.state == CloseRun.State.ISSUED
    assert [f"{row.quantity.normalize():f}" for row in invoice.lines.all()] == ["113"]
    assert (invoice.number, str(invoice.total)) == ("INV-000001", "226.0000")
    assert all_replay_identically(line.workspace)


def test_counter_of_the_vendors_example_is_52_dollars():
    line = make.line()
    for day, quantity in enumerate(["6", "4", "8", "5", "3"], start=1):
        make.use(line, quantity, f"2026-01-0{day}")

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["52.00"]


def test_ten_units_in_week_one_and_twenty_in_week_four_are_billed_as_thirty_next_month():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    make.use(line, "20", "2026-01-26")

    close_and_issue(line.workspace, "2026-02-01")

    invoice = Invoice.objects.get()
    billed = invoice.lines.get()
    assert (billed.quantity, billed.record_count, str(billed.amount)) == (30, 2, "60.0000")
    assert invoice.issued_at == make.moment("2026-02-01")


def test_late_usage_is_trued_up_on_the_old_periods_tiers():
    # 10 units at $2, the rest at $1. January: 8 units = $16, then 4 late ones: 12 units = 20 + 2 = $22, $6 more.
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    make.use(line, "8", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    late = make.use(line, "4", "2026-01-20", recorded_at="2026-02-03")
    make.use(line, "3", "2026-02-10")

    close_and_issue(line.workspace, "2026-03-01")

    assert late.is_late
    assert totals(line.workspace) == ["16.00", "12.00"]
    true_up = InvoiceLine.objects.get(kind="true_up")
    assert (true_up.starts_at, true_up.ends_at) == (make.moment("2026-01-01"), make.moment("2026-02-01"))
    assert (true_up.quantity, true_up.rated, true_up.billed_before, true_up.amount) == (12, 22, 16, 6)
    assert all_replay_identically(line.workspace)


def test_correction_downward_becomes_a_credit_note_when_it_outweighs_the_month():
    line = make.line()
    record = make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(record, "7")

    close_and_issue(line.workspace, "2026-03-01")

    credit = Invoice.objects.order_by("id").last()
    assert totals(line.workspace) == ["20.00", "-6.00"]
    assert (credit.kind, credit.number) == ("credit_note", "CN-000001")
    assert all_replay_identically(line.workspace)


def test_closing_twice_adds_nothing():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close(line.workspace, "2026-02-01")

    with pytest.raises(closing.NothingToClose, match="are in Close"):
        close(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["20.00"]
