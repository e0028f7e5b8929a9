"""Rebilly: the issued invoice that a usage is on, and that it then cannot be deleted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.models import Invoice, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue, issue, totals
from tests.statements import about_rows
from tests.usage.dialects.rebilly.client import Rebilly, problem
from usage.dialects.rebilly import identifiers

pytestmark = pytest.mark.django_db

NONE = (None, None)
INVOICED = (409, problem(409, "Conflict", "This usage is on an issued invoice."))


@pytest.fixture
def rebilly(line):
    return Rebilly(make.api_key(line.workspace))


def usage_of(record):
    return identifiers.shown(identifiers.USAGE, record.handle)


def shown(rebilly, record):
    """Return a usage's invoice and item, which must be the same by its id and in the list."""
    usage = rebilly("GET", f"/usages/{usage_of(record)}").json()
    assert [listed for listed in rebilly.listed().json() if listed["id"] == usage["id"]] == [usage]
    return usage["invoiceId"], usage["invoiceItemId"]


def on(invoice_line):
    return (
        identifiers.shown(identifiers.INVOICE, invoice_line.invoice_id),
        identifiers.shown(identifiers.INVOICE_ITEM, invoice_line.pk),
    )


def items(line):
    return list(InvoiceLine.objects.filter(line=line).order_by("pk"))


def test_an_issued_invoice_is_told_and_a_draft_is_not(rebilly, line):
    january, february = make.use(line, "5", "2026-01-10"), make.use(line, "6", "2026-02-10")

    run = close(line.workspace, "2026-02-01")
    assert shown(rebilly, january) == NONE
    issue(run)

    (item,) = items(line)
    assert shown(rebilly, january) == on(item)
    assert shown(rebilly, february) == NONE
    assert Invoice.objects.get().pk == item.invoice_id


def test_late_usage_is_on_the_invoice_of_its_difference(rebilly, line):
    make.use(line, "5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    late = make.use(line, "2", "2026-01-11", recorded_at="2026-02-05")
    assert shown(rebilly, late) == NONE

    close_and_issue(line.workspace, "2026-03-01")

    difference = InvoiceLine.objects.get(kind="true_up")
    assert shown(rebilly, late) == on(difference)


def test_the_first_invoice_stays_the_usages_own_when_its_period_is_billed_again(rebilly, line):
    record = make.use(line, "5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    (first,) = items(line)
    make.use(line, "2", "2026-01-11", recorded_at="2026-02-05")
    close_and_issue(line.workspace, "2026-03-01")

    assert shown(rebilly, record) == on(first)


def test_a_correction_leaves_a_usage_on_the_invoice_that_it_was_on(rebilly, line):
    record = make.use(line, "5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    (first,) = items(line)

    moved = make.fix(record, "9", at="2026-02-10", recorded_at="2026-02-11")
    assert shown(rebilly, moved) == on(first)
    close_and_issue(line.workspace, "2026-03-01")
    assert shown(rebilly, moved) == on(first)


def test_what_was_corrected_before_is_on_the_invoice_of_what_it_became(rebilly, line):
    other = contracts.add_line(
        subscription=line.subscription,
        brick=(brick := make.brick(line.workspace)),
        price=make.price(brick),
        actor=make.ACTOR,
    )
    moved = make.fix(make.use(line, "5", "2026-01-10"), at="2026-02-10", recorded_at="2026-01-20")
    beside = make.use(other, "5", "2026-02-10")

    close_and_issue(line.workspace, "2026-02-01")
    assert shown(rebilly, moved) == NONE
    close_and_issue(line.workspace, "2026-03-01")

    assert shown(rebilly, moved) == on(items(line)[1])
    assert shown(rebilly, beside) == on(items(other)[1])


def test_usages_are_found_by_their_invoice(rebilly, line):
    first, second = make.use(line, "5", "2026-01-10"), make.use(line, "6", "2026-02-10")
    close_and_issue(line.workspace, "2026-02-01")
    late, open_ = make.use(line, "2", "2026-01-11", recorded_at="2026-02-05"), make.use(line, "1", "2026-03-10")
    close_and_issue(line.workspace, "2026-03-01")
    january, february = Invoice.objects.order_by("pk")

    def found(text):
        return rebilly.ids(filter=f"invoiceId:{text}", sort="usageTime")

    one, two = (identifiers.shown(identifiers.INVOICE, invoice.pk) for invoice in (january, february))
    assert found(one) == [usage_of(first)]
    assert found(two.lower()) == [usage_of(late), usage_of(second)]
    assert found(f"{one},{two}") == [usage_of(first), usage_of(late), usage_of(second)]
    assert found("null") == [usage_of(open_)]
    assert found(f"!{two}") == [usage_of(first), usage_of(open_)]
    assert found(f"!null,{one}") == [usage_of(late), usage_of(second)]
    assert found(january.pk) == found(january.number) == []


def test_the_invoice_of_another_workspace_finds_nothing(rebilly, line):
    other = make.line(make.workspace("other"))
    make.use(other, "1", "2026-01-10")
    make.use(line, "1", "2026-01-10")
    close_and_issue(other.workspace, "2026-02-01")

    theirs = identifiers.shown(identifiers.INVOICE, Invoice.objects.get().pk)

    assert rebilly.ids(filter=f"invoiceId:{theirs}") == []


@pytest.mark.parametrize("rows", [1, 3])
def test_invoices_are_told_with_a_fixed_number_of_queries(rebilly, line, rows):
    for _ in range(rows):
        make.use(line, "5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    rebilly.listed()

    with CaptureQueriesContext(connection) as queries:
        response = rebilly.listed(filter="invoiceId:!null")

    assert len(response.json()) == rows
    assert len(about_rows(queries)) == 3


def test_an_invoiced_usage_can_not_be_deleted(rebilly, line):
    record = make.use(line, "5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")

    for _ in range(2):
        response = rebilly("DELETE", f"/usages/{usage_of(record)}")
        assert (response.status_code, response.json()) == INVOICED
    make.fix(record, "6", recorded_at="2026-02-05")
    assert rebilly("DELETE", f"/usages/{usage_of(record)}").status_code == 409


def test_a_draft_does_not_keep_a_usage_from_being_deleted(rebilly, line):
    record = make.use(line, "5", "2026-01-10")
    make.use(line, "1", "2026-01-11")
    run = close(line.workspace, "2026-02-01")

    assert rebilly("DELETE", f"/usages/{usage_of(record)}").status_code == 204

    # What the draft has counted is taken back by the next invoice.
    issue(run)
    close_and_issue(line.workspace, "2026-03-01")
    assert totals(line.workspace) == ["12.00", "-10.00"]
