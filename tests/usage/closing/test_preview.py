from datetime import date

import pytest

from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, InvoiceLine, Line, Subscription
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from usage import closing
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_preview_shows_the_invoice_as_it_would_be_and_writes_nothing():
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-06")
    make.use(line, "4", "2026-02-03")
    make.use(line, "100", "2026-02-20")
    before = snapshot()

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-02-10"))

    assert [(row.kind, row.quantity, row.amount) for row in preview.invoice.lines] == [
        ("usage", 4, 8),
        ("true_up", 11, 2),
    ]
    assert (preview.invoice.total, preview.measured_until) == (10, make.moment("2026-02-10"))
    assert snapshot() == before


def snapshot() -> list[list[tuple]]:
    tables = (Subscription, Line, BillingPeriod, Invoice, InvoiceLine, CloseRun, CloseItem, UsageRecord)
    return [list(table.objects.order_by("pk").values_list()) for table in tables]


def test_preview_of_a_gauge_counts_the_days_until_now():
    line = make.line(aggregation="unit_days", unit_price="1")
    make.use(line, "2", "2026-01-01")

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-04 12:00"))

    assert preview.invoice.lines[0].quantity == 7


def test_there_is_no_preview_before_the_start_and_after_the_last_close():
    line = make.line(ends_on=date(2026, 2, 1))

    assert closing.preview(subscription=line.subscription, as_of=make.moment("2025-12-31")) is None
    close_and_issue(line.workspace, "2026-02-01")
    assert closing.preview(subscription=line.subscription, as_of=make.moment("2026-02-02")) is None
