"""An issued invoice is computed again from the ledger, and compared with its document to the byte."""

import hashlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice, Price
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue
from usage.models import UsageRecord
from usage.replay import UnableToReplay, replay

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice() -> Invoice:
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    return Invoice.objects.get()


def test_replay_is_identical_after_everything_that_may_change(invoice):
    line = invoice.lines.get().line
    make.use(line, "10", "2026-01-06")
    make.fix(make.use(line, "1", "2026-01-07"), "2")
    invoice.customer.name = "Renamed"
    invoice.customer.save()
    Price.objects.update(name="Old price")
    line.brick.unit_label = "things"
    line.brick.save()

    result = replay(invoice=Invoice.objects.get())

    assert (result.is_identical, result.computed, result.differences) == (True, invoice.document, ())


def test_replay_shows_a_record_that_was_tampered_with(invoice):
    UsageRecord.objects.update(quantity=11)

    result = replay(invoice=invoice)

    assert not result.is_identical
    found = {difference.path: (difference.issued, difference.computed) for difference in result.differences}
    assert found["lines.0.quantity"] == ("10", "11")
    assert found["total"] == ("20.00", "22.00")


def test_replay_shows_a_price_that_was_tampered_with(invoice):
    Price.objects.update(unit_price=3)

    paths = [difference.path for difference in replay(invoice=invoice).differences]

    assert "lines.0.price.terms.unit_price" in paths
    assert "lines.0.amount" in paths


def test_replay_shows_a_document_that_was_tampered_with(invoice):
    Invoice.objects.update(document=invoice.document.replace('"name":"Globex"', '"name":"Umbrella"'))

    result = replay(invoice=Invoice.objects.get())

    assert [difference.path for difference in result.differences] == ["document_sha256"]
    assert not result.is_identical


@pytest.mark.parametrize("text", ["{}", "spoiled", "later"])
def test_a_document_that_cant_be_read_is_told_and_stops_no_other(invoice, text):
    second = make.line(invoice.workspace)
    close_and_issue(second.workspace, "2026-02-01")
    text = invoice.document.replace('"format":1', '"format":2') if text == "later" else text
    Invoice.objects.filter(pk=invoice.pk).update(document=text)
    said = StringIO()

    with pytest.raises(UnableToReplay, match="The document of INV-000001 can't be read."):
        replay(invoice=Invoice.objects.get(pk=invoice.pk))
    with pytest.raises(CommandError, match="1 of 2 invoices can't be reproduced."):
        call_command("replay", "--all", stdout=said)

    assert "INV-000002: identical" in said.getvalue()


def test_the_digest_is_of_the_document(invoice):
    assert invoice.document_sha256 == hashlib.sha256(invoice.document.encode()).hexdigest()


def test_a_draft_has_nothing_to_replay():
    line = make.line()
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToReplay):
        replay(invoice=Invoice.objects.get())
