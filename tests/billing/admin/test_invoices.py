import hashlib

import pytest
from django.urls import reverse

from billing import contracts
from billing.admin.issued import Named
from billing.models import Brick, Customer, Invoice, InvoiceLine, Price, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, queries_of, source_of
from tests.scenarios.closing import close, close_and_issue

pytestmark = pytest.mark.django_db

TIERS = [("10", "2", "0"), (None, "1", "0")]


def page(of: Invoice) -> str:
    return reverse("admin:billing_invoice_change", args=[of.pk])


def trued_up() -> Invoice:
    """January: 8 units, then 4 late ones (16.00, then 6.00 more); February: 3 units (6.00)."""
    line = make.line(model="graduated", tiers=TIERS)
    make.use(line, "8", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "4", "2026-01-20", recorded_at="2026-02-03")
    make.use(line, "3", "2026-02-10")
    close_and_issue(line.workspace, "2026-03-01")
    return Invoice.objects.latest("id")


def test_page_shows_the_arithmetic_the_true_up_and_links_to_the_records():
    invoice = trued_up()

    shown = administrator().get(page(invoice)).content.decode()

    for text in (
        "3 units (up to 10) x 2.00 = 6.00",
        "10 units (up to 10) x 2.00 = 20.00",
        "2 units (above 10) x 1.00 = 2.00",
        "Difference for 1 Jan – 31 Jan 2026, billed before",
        "USD 12.00",
        invoice.document_sha256,
    ):
        assert text in shown
    for line in invoice.lines.all():
        records = f"{line.record_count} record{'' if line.record_count == 1 else 's'}"
        assert f'{reverse("admin:usage_usagerecord_changelist")}?invoice_line={line.pk}">{records}</a>' in shown


def test_document_is_what_was_issued():
    invoice = trued_up()

    response = administrator().get(reverse("admin:billing_invoice_document", args=[invoice.pk]))

    assert hashlib.sha256(response.content).hexdigest() == invoice.document_sha256
    assert response["Content-Disposition"] == 'attachment; filename="INV-000002.json"'
    assert response["Content-Type"] == "application/json"


def test_draft_has_no_document():
    line = make.line()
    close(line.workspace, "2026-02-01")
    draft = Invoice.objects.get()

    client = administrator()

    assert client.get(reverse("admin:billing_invoice_document", args=[draft.pk])).status_code == 404
    assert "Download" not in client.get(page(draft)).content.decode()


def test_page_takes_as_many_queries_for_one_line_as_for_two():
    second = trued_up()
    first, client = Invoice.objects.earliest("id"), administrator()

    assert (first.lines.count(), second.lines.count()) == (1, 2)
    assert queries_of(client, page(first)) == queries_of(client, page(second))


def test_invoice_is_neither_added_edited_nor_deleted():
    invoice, client = trued_up(), administrator()

    assert client.post(page(invoice), {"total": "1"}).status_code == 403
    assert client.post(reverse("admin:billing_invoice_delete", args=[invoice.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:billing_invoice_add"), {}).status_code == 403
    assert InvoiceLine.objects.count() == 3


def test_invoice_shows_to_viewers_only_and_records_to_those_who_may_see_usage():
    invoice = trued_up()
    document = reverse("admin:billing_invoice_document", args=[invoice.pk])

    shown = client_of("billing.view_invoice").get(page(invoice))

    assert shown.status_code == 200
    assert "invoice_line=" not in shown.content.decode()
    assert client_of().get(page(invoice)).status_code == 403
    assert client_of().get(document).status_code == 403


def test_days_are_those_of_the_workspace():
    line = make.line(make.workspace(time_zone="Asia/Tokyo"))
    close(line.workspace, "2026-02-01", tz="Asia/Tokyo")

    shown = administrator().get(page(Invoice.objects.get())).content.decode()

    assert "1 Jan – 31 Jan 2026" in shown


def test_figures_are_written_as_the_workspace_does_and_the_document_stays_as_it_is():
    line = make.line(make.workspace(number_format="comma", currency="KWD"), unit_price="1.5")
    make.use(line, "1234.25", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    invoice, client = Invoice.objects.get(), administrator()

    shown = source_of(client.get(page(invoice)))
    listed = source_of(client.get(reverse("admin:billing_invoice_changelist")))
    home = source_of(client.get(reverse("admin:index")))

    # 1234.25 x 1.5 = 1851.375
    assert ">1.234,25<" in shown
    assert "KWD 1.851,375" in shown
    assert "1.234,25 units x 1,500 = 1.851,375" in shown
    assert "KWD 1.851,375" in listed
    assert "KWD 1.851,375" in home
    assert '"total":"1851.375"' in invoice.document.replace(": ", ":")


def test_invoices_are_found_by_their_number_alone_and_by_a_customers_full_name():
    owner, client = make.workspace(), administrator()
    for n in range(1, 11):
        subscription = make.subscription(make.customer(owner, f"Customer No {n}"))
        brick = make.brick(owner)
        contracts.add_line(subscription=subscription, brick=brick, price=make.price(brick), actor=make.ACTOR)
    close_and_issue(owner, "2026-02-01")
    close(owner, "2026-03-01")

    def found(term):
        listed = client.get(reverse("admin:billing_invoice_changelist"), {"q": term}).context["cl"].result_list
        return sorted(str(row) for row in listed)

    draft = Invoice.objects.filter(state="draft").latest("id")
    assert found("10") == ["INV-000010"]
    assert found("INV-000010") == found("inv-000010") == ["INV-000010"]
    assert found(str(draft.pk)) == [f"Draft {draft.pk}"]
    assert len(found("Customer No 10")) == 2


def test_page_of_an_issued_invoice_shows_the_document_and_where_today_differs():
    line, client = make.line(), administrator()
    make.use(line, "3", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    invoice = Invoice.objects.get()
    Customer.objects.update(name="Globex Inc.", email="new@example.com")
    Brick.objects.update(name="Requests", unit_label="requests")
    Price.objects.update(name="Gold")
    Workspace.objects.update(name="Acme Ltd.")

    context = client.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).context
    (shown,) = context["lines"]
    parties = context["parties"]

    assert (parties["customer"], parties["workspace"]) == (Named("Globex", "Globex Inc."), Named("Acme", "Acme Ltd."))
    assert (parties["email"], parties["address"]) == (Named("–", "new@example.com"), Named("–"))
    assert (shown["description"], shown["unit"]) == (Named("API calls", "Requests"), Named("units", "requests"))
    assert shown["price"] == Named("API calls per_unit", "Gold")
    html = client.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).content.decode()
    assert "today: Globex Inc." in html
    assert "today: requests" in html


def test_page_of_a_draft_shows_what_there_is_today():
    line, client = make.line(), administrator()
    close(line.workspace, "2026-02-01")
    Customer.objects.update(name="Globex Inc.")

    context = client.get(reverse("admin:billing_invoice_change", args=[Invoice.objects.get().pk])).context

    assert context["parties"]["customer"] == Named("Globex Inc.")
    assert context["lines"].rows[0]["unit"] == Named("units")
