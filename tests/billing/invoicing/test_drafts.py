from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import invoicing
from billing.calendar import Period
from billing.documents import columns_of, unsaved_line
from billing.invoicing import DraftInvoice, DraftLine
from billing.models import BillingPeriod, CloseRun, Invoice, InvoiceLine, Line
from billing.rating import Charge, Step
from tests import factories as make

JANUARY = Period(make.moment("2026-01-01"), make.moment("2026-02-01"))
STEP = Step("units", "5 x 2", Decimal(5), Decimal(2), Decimal(10))


def draft_line(line: Line | None = None, **values: object) -> DraftLine:
    charge = Charge(amount=Decimal("10.00"), unrounded=Decimal(10), steps=(STEP,), surprise="negative")
    of_january = DraftLine(
        line_id=line.pk if line else 1,
        price_id=line.price_id if line else 1,
        rule_id=None,
        kind="usage",
        description="API calls",
        period=JANUARY,
        days=31,
        of_days=31,
        cutoff=9,
        quantity=Decimal(5),
        record_count=2,
        charge=charge,
        billed_before=Decimal(0),
        unread_count=2,
        missing_count=1,
        unread_sample=({"record": 1, "value": None},),
        filter_gaps={"region": 3},
    )
    return replace(of_january, **values)  # type: ignore[arg-type]


def draft_of(line: Line, *lines: DraftLine, closes: bool = True, period: Period = JANUARY) -> DraftInvoice:
    return DraftInvoice(
        subscription_id=line.subscription_id,
        customer_id=line.subscription.customer_id,
        currency="USD",
        period=period,
        closes=closes,
        cutoff=9,
        lines=lines,
    )


def test_an_amount_is_what_earlier_invoices_have_not_billed():
    assert draft_line(billed_before=Decimal("12.50")).amount == Decimal("-2.50")


def test_surprises_are_ratings_first_and_then_the_lines_own():
    assert draft_line(notices=("late", "ahead")).surprises == ["negative", "late", "ahead"]
    assert draft_line(charge=Charge(Decimal(0), Decimal(0), ())).surprises == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("lines", "is_billed", "total"),
    [
        ((), False, "0"),
        ((draft_line(),), True, "10.00"),
        # Usage of nothing is billed all the same, a difference of nothing is not.
        ((draft_line(billed_before=Decimal("10.00")),), True, "0.00"),
        ((draft_line(kind="true_up", billed_before=Decimal("10.00")),), False, "0.00"),
        ((draft_line(kind="true_up"), draft_line(kind="true_up", billed_before=Decimal(30))), True, "-10.00"),
    ],
)
def test_what_becomes_an_invoice_has_usage_or_an_amount(lines, is_billed, total):
    draft = draft_of(make.line(), *lines)

    assert (draft.is_billed, draft.total) == (is_billed, Decimal(total))


def run_of(line: Line) -> CloseRun:
    at = JANUARY.ends_at
    return CloseRun.objects.create(
        workspace=line.workspace, until_at=at, started_by="finance", started_at=at, heartbeat_at=at
    )


@pytest.mark.django_db
def test_a_draft_is_written_with_its_period_and_lines():
    line = make.line()
    drafted = draft_line(line)

    invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line, drafted)])

    invoice = Invoice.objects.get()
    assert (invoice.state, invoice.kind, invoice.total, invoice.document) == ("draft", "invoice", 10, "")
    assert invoice.period == BillingPeriod.objects.get(starts_at=JANUARY.starts_at, ends_at=JANUARY.ends_at)
    (row,) = invoice.lines.all()
    assert row.position == 1
    for name, value in columns_of(drafted).items():
        assert getattr(row, name) == value, name


@pytest.mark.django_db
def test_a_line_that_is_not_saved_is_like_the_stored_one():
    line = make.line()
    invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line, draft_line(line))])
    stored = InvoiceLine.objects.get()

    unsaved = unsaved_line(draft_line(line), position=1, line=line)

    for field in InvoiceLine._meta.concrete_fields:
        if field.name not in ("id", "invoice"):
            assert getattr(unsaved, field.attname) == getattr(stored, field.attname), field.name
    assert (unsaved.pk, unsaved.line, unsaved.price) == (None, line, line.price)


@pytest.mark.django_db
def test_a_negative_total_is_a_credit_note_and_differences_alone_close_no_period():
    line = make.line()
    credit = draft_line(line, kind="true_up", billed_before=Decimal(30))

    invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line, credit, closes=False)])

    invoice = Invoice.objects.get()
    assert (invoice.kind, invoice.total, invoice.period) == ("credit_note", -20, None)
    assert not BillingPeriod.objects.exists()


@pytest.mark.django_db
def test_a_period_with_nothing_to_bill_is_closed_without_an_invoice():
    line = make.line()

    invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line)])

    assert (BillingPeriod.objects.count(), Invoice.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_a_period_is_closed_once():
    line = make.line()
    invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line)])

    with pytest.raises(IntegrityError), transaction.atomic():
        invoicing.write_drafts(run=run_of(line), drafts=[draft_of(line)])
