from datetime import date
from decimal import Decimal

import pytest

from billing import contracts
from billing.models import Invoice, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, totals
from usage import closing
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_differences_of_an_ended_subscription_come_on_an_invoice_of_their_own():
    line = make.line(ends_on=date(2026, 2, 1))
    record = make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    with pytest.raises(closing.NothingToClose):
        close(line.workspace, "2026-05-01")

    make.use(line, "2", "2026-01-20", recorded_at="2026-04-01")
    close_and_issue(line.workspace, "2026-05-01")
    make.take_back(record)
    close_and_issue(line.workspace, "2026-06-01")
    with pytest.raises(closing.NothingToClose):
        close(line.workspace, "2026-07-01")

    assert totals(line.workspace) == ["20.00", "4.00", "-20.00"]
    assert [invoice.period_id is None for invoice in Invoice.objects.order_by("id")] == [False, True, True]
    assert all_replay_identically(line.workspace)


def test_a_price_change_in_the_middle_of_a_month_bills_each_part_at_its_price():
    line = make.line(unit_price="2")
    make.use(line, "10", "2026-01-10")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
        actor=make.ACTOR,
    )
    make.use(dearer, "10", "2026-01-20")

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["50.00"]
    assert [(row.days, row.of_days) for row in InvoiceLine.objects.order_by("position")] == [(15, 31), (16, 31)]


def test_a_flat_price_is_prorated_by_the_days_covered():
    # 11 of January's 31 days of $31.
    line = make.line(
        aggregation="none", model="flat", unit_price="31", starts_on=date(2026, 1, 21), anchor_on=date(2026, 1, 1)
    )

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["11.00"]


def test_a_negative_quantity_is_rated_as_zero_and_named_as_a_surprise():
    line = make.line()
    make.use(line, "-5", "2026-01-10")

    close_and_issue(line.workspace, "2026-02-01")

    billed = InvoiceLine.objects.get()
    assert (billed.quantity, billed.amount, billed.surprise) == (-5, 0, "negative quantity rated as zero")
    assert billed.surprises == ["negative quantity rated as zero"]


def test_an_invoice_line_links_to_exactly_the_records_it_counted():
    line = make.line()
    counted = [make.use(line, "1", f"2026-01-{day}") for day in (10, 11)]
    make.take_back(make.use(line, "9", "2026-01-12"))
    make.use(line, "9", "2026-02-01")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(counted[0], "100")
    make.use(line, "9", "2026-01-13")

    billed = InvoiceLine.objects.get(kind="usage")

    records = UsageRecord.objects.counted_by(billed).order_by("id")
    assert [record.pk for record in records] == [record.id for record in counted]
    assert billed.record_count == len(records)
    assert billed.quantity == sum((record.quantity for record in records), Decimal(0))
