from datetime import date

import pytest

from billing import invoicing
from billing.models import CloseRun, Invoice, InvoiceLine
from tests import factories as make
from usage import closing

pytestmark = pytest.mark.django_db


def close(workspace, until, as_of=None):
    run = closing.start(workspace=workspace, until_at=make.moment(until), by="finance", as_of=make.moment(as_of or until))
    return closing.work(run_id=run.pk, clock=lambda: make.moment(as_of or until))


def issue(run, at):
    invoicing.approve(run=run, by="finance", as_of=make.moment(at))
    return closing.work(run_id=run.pk, clock=lambda: make.moment(at))


def test_gauge_of_the_vendors_example_is_226_dollars():
    line = make.line(aggregation="unit_days", starts_on=date(2026, 1, 1), ends_on=date(2026, 1, 24))
    for quantity, at in [("3", "2026-01-01"), ("4", "2026-01-07"), ("8", "2026-01-15"), ("5", "2026-01-21")]:
        make.use(line, quantity, at)

    run = issue(close(line.workspace, "2026-02-01"), "2026-02-01")

    invoice = Invoice.objects.get()
    assert run.state == CloseRun.State.ISSUED
    assert [str(row.quantity.normalize()) for row in invoice.lines.all()] == ["113"]
    assert (invoice.number, str(invoice.total)) == ("INV-000001", "226.0000")


def test_late_usage_and_corrections_are_trued_up():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    issue(close(line.workspace, "2026-02-01"), "2026-02-01")
    late = make.use(line, "4", "2026-01-20", recorded_at="2026-02-03")
    assert late.is_late

    issue(close(line.workspace, "2026-03-01"), "2026-03-01")

    assert [str(i.total) for i in Invoice.objects.order_by("id")] == ["20.0000", "8.0000"]
    true_up = InvoiceLine.objects.get(kind="true_up")
    assert (true_up.quantity, true_up.rated, true_up.billed_before) == (14, 28, 20)
