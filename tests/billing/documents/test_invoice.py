"""An invoice's document: what it says, and that its text is read and written to the same bytes for ever."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents import InvoiceDocument, UnreadableDocument, invoice
from billing.documents.invoice import DocumentCustomer, DocumentSubscription, DocumentWorkspace
from billing.documents.lines import DocumentLine, DocumentPrice, DocumentStep, DocumentTerms, DocumentTier, Span
from billing.models import Invoice
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue
from usage.replay import replay

FORMAT_1 = (Path(__file__).parent / "invoice_format_1.json").read_text()

texts = st.text(max_size=20)
numbers = st.decimals(min_value=-(10**12), max_value=10**12, places=9)
some_number = st.none() | numbers
amounts = st.sampled_from([0, 2, 3]).flatmap(
    lambda digits: st.decimals(min_value=-(10**12), max_value=10**12, places=digits)
)
ids = st.integers(1, 2**63 - 1)
counts = st.integers(0, 2**31)
moments = st.datetimes(timezones=st.just(UTC))
spans = st.builds(Span, starts_at=moments, ends_at=moments)
tiers = st.builds(DocumentTier, up_to=some_number, unit_price=numbers, fee=numbers)
terms = st.builds(
    DocumentTerms, model=texts, currency=texts, unit_price=numbers, tiers=st.lists(tiers, max_size=2).map(tuple)
)
steps = st.builds(
    DocumentStep,
    kind=texts,
    text=texts,
    quantity=some_number,
    unit_price=some_number,
    amount=numbers,
    lower=some_number,
    upper=some_number,
)
lines = st.builds(
    DocumentLine,
    position=counts,
    kind=texts,
    description=texts,
    line_number=ids,
    brick_id=st.uuids(),
    aggregation=texts,
    unit_label=texts,
    period=spans,
    days=counts,
    of_days=counts,
    cutoff=ids,
    quantity=numbers,
    record_count=counts,
    price=st.builds(DocumentPrice, id=ids, name=texts, terms=terms),
    steps=st.lists(steps, max_size=2).map(tuple),
    surprise=texts,
    rated=amounts,
    billed_before=amounts,
    amount=amounts,
)
documents = st.builds(
    InvoiceDocument,
    format=st.just(1),
    number=st.none() | texts,
    kind=texts,
    issued_at=st.none() | moments,
    workspace=st.builds(DocumentWorkspace, code=texts, mode=texts, name=texts, time_zone=texts),
    customer=st.builds(
        DocumentCustomer, id=st.uuids(), name=texts, reference=st.none() | texts, email=texts, address=texts
    ),
    subscription=st.builds(DocumentSubscription, id=st.uuids(), reference=st.none() | texts),
    period=spans,
    currency=texts,
    cutoff=ids,
    total=amounts,
    lines=st.lists(lines, max_size=3).map(tuple),
)


@given(documents)
def test_a_document_is_read_as_it_was_written(document):
    text = document.to_json()

    again = InvoiceDocument.from_json(text)

    assert again == document
    assert again.to_json() == text
    assert hash(again) == hash(document)


def test_a_text_of_format_1_reads_the_same_for_ever():
    document = InvoiceDocument.from_json(FORMAT_1)

    assert document.to_json() == FORMAT_1
    assert (document.format, document.number, document.kind) == (1, "INV-000042", "invoice")
    assert document.issued_at == datetime(2026, 2, 1, 8, 30, 0, 250, tzinfo=UTC)
    assert (document.workspace.code, document.workspace.time_zone) == ("acme", "Europe/Berlin")
    assert (document.customer.name, document.customer.address) == ("Globex", "1 Main St\nSpringfield")
    assert document.subscription == DocumentSubscription(
        id=UUID("33333333-3333-4333-8333-333333333333"), reference=None
    )
    assert str(document.total) == "27.50"
    usage, true_up = document.lines
    assert (usage.line_number, usage.quantity, str(usage.amount)) == (7, Decimal("12500.5"), "30.00")
    assert [(tier.up_to, tier.unit_price) for tier in usage.price.terms.tiers] == [
        (Decimal(10000), Decimal("0.002")),
        (None, Decimal("0.001")),
    ]
    assert [(step.kind, step.amount, step.upper) for step in usage.steps] == [
        ("units", Decimal(20), Decimal(10000)),
        ("units", Decimal("2.5005"), None),
    ]
    assert (true_up.kind, str(true_up.rated), str(true_up.billed_before), str(true_up.amount)) == (
        "true_up",
        "0.00",
        "2.50",
        "-2.50",
    )
    assert true_up.period.ends_at == datetime(2026, 1, 1, tzinfo=UTC)


def edited(**members: object) -> str:
    return json.dumps(json.loads(FORMAT_1) | members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_edited_changes_nothing_by_itself():
    assert edited() == FORMAT_1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (edited(format=2), "Its format is 2, and this version reads up to 1."),
        (edited(format=0), "Its format is 0"),
        (edited(format="1"), "It is not an invoice document"),
        (edited(tax="0.00"), "unknown field `tax`"),
        (edited(total=27.5), "canonical"),
        (edited(total="2.75e1"), "canonical"),
        (edited(total="NaN"), "NaN"),
        (edited(total="much"), "total"),
        (edited(cutoff="9"), "cutoff"),
        (edited(issued_at="2026-02-01T08:30:00"), "issued_at"),
        (edited(issued_at="2026-02-01T09:30:00.000250+01:00"), "canonical"),
        (edited(customer=None), "customer"),
        (FORMAT_1.replace('"currency":"USD",', "", 1), "currency"),
        (FORMAT_1 + "\n", "canonical"),
        (FORMAT_1[:-1], "It is not an invoice document"),
        ("", "It is not an invoice document"),
        ("[]", "It is not an invoice document"),
    ],
)
def test_any_other_text_is_refused(text, reason):
    with pytest.raises(UnreadableDocument, match=reason):
        InvoiceDocument.from_json(text)


def test_a_document_is_frozen():
    document = InvoiceDocument.from_json(FORMAT_1)
    for value, name in ((document, "total"), (document.lines[0], "amount"), (document.customer, "name")):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, name, None)


@pytest.mark.django_db
def test_an_invoice_says_what_its_rows_say():
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1.5", "0")])
    make.use(line, "12", "2026-01-05")
    close(line.workspace, "2026-02-01")
    draft = Invoice.objects.get()

    document = InvoiceDocument.from_invoice(draft)

    assert (document.format, document.number, document.issued_at) == (1, None, None)
    assert (document.customer.id, document.subscription.id) == (draft.customer_id, draft.subscription_id)
    assert document.period == Span(starts_at=make.moment("2026-01-01"), ends_at=make.moment("2026-02-01"))
    (said,) = document.lines
    assert (said.line_number, said.brick_id, said.unit_label) == (line.number, line.brick_id, line.brick.unit_label)
    assert (said.quantity, str(said.amount), said.record_count, said.days) == (12, "23.00", 1, 31)
    assert [(step.quantity, step.amount) for step in said.steps] == [(10, 20), (2, 3)]
    assert [(tier.up_to, tier.unit_price) for tier in said.price.terms.tiers] == [(10, 2), (None, Decimal("1.5"))]


@pytest.mark.django_db
def test_what_is_issued_is_the_text_of_the_document():
    line = make.line()
    make.use(line, "3", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    issued = Invoice.objects.get()

    document = InvoiceDocument.from_json(issued.document)

    assert document == InvoiceDocument.from_invoice(issued)
    assert document.to_json() == issued.document


@pytest.mark.django_db
def test_a_later_format_makes_no_former_document_differ(monkeypatch):
    """Of a version that writes format 2, with a member that format 1 does not have."""
    line = make.line()
    make.use(line, "3", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    former = Invoice.objects.get()

    monkeypatch.setattr(invoice, "FORMAT", 2)
    of_format_1 = InvoiceDocument.as_dict
    monkeypatch.setattr(
        InvoiceDocument, "as_dict", lambda it: of_format_1(it) | ({"note": "new"} if it.format > 1 else {})
    )

    assert InvoiceDocument.from_json(former.document).format == 1
    assert InvoiceDocument.from_json(former.document).to_json() == former.document
    assert replay(invoice=former).is_identical
    assert json.loads(InvoiceDocument.from_invoice(former).to_json())["note"] == "new"
    assert InvoiceDocument.from_invoice(former, in_format=1).to_json() == former.document


def test_every_member_is_written():
    """A field that ``as_dict`` forgets would be lost in the text."""
    document = InvoiceDocument.from_json(FORMAT_1)
    line = document.lines[0]
    for value in (
        document,
        document.workspace,
        document.customer,
        document.subscription,
        document.period,
        line,
        line.price,
        line.price.terms,
        line.price.terms.tiers[0],
        line.steps[0],
    ):
        assert sorted(value.as_dict()) == sorted(field.encode_name for field in msgspec.structs.fields(value))
