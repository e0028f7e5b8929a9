"""Tables of a row's page that are longer than one page of them."""

import pytest
from django.urls import reverse

from billing import contracts, parties
from billing.admin import paging
from billing.admin.customers import AliasInline
from billing.models import Customer, Invoice
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import close

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ROWS_PER_PAGE = 10
MANY = 25


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch):
    monkeypatch.setattr(paging, "ROWS_PER_PAGE", ROWS_PER_PAGE)
    monkeypatch.setattr(AliasInline, "per_page", ROWS_PER_PAGE)


def change_page(row, **query):
    named = "&".join(f"{name.replace('_', '-')}={value}" for name, value in query.items())
    return f"{reverse(f'admin:billing_{row._meta.model_name}_change', args=[row.pk])}?{named}"


def customer_of_many_aliases():
    customer = make.customer(make.workspace(), aliases=[f"hub {n:03}" for n in range(MANY)])
    return customer, change_page(customer, aliases_page=3)


def rows_of(form):
    return {value: name.removesuffix("-value") for name, value in form.items() if name.endswith("-value")}


def test_aliases_of_one_page_are_changed_added_and_removed_there():
    customer, third = customer_of_many_aliases()
    client = administrator()
    form = page_of(client, third)
    rows = rows_of(form)

    assert list(rows) == [f"hub {n:03}" for n in range(2 * ROWS_PER_PAGE, MANY)]
    added = {"aliases-TOTAL_FORMS": 6, "aliases-5-value": "new", "aliases-5-customer": customer.pk}
    changes = {f"{rows['hub 024']}-label": "CRM", f"{rows['hub 023']}-DELETE": "on", **added}

    assert client.post(third, form | changes).status_code == 302
    assert customer.aliases.get(value="hub 024").label == "CRM"
    assert not customer.aliases.filter(value="hub 023").exists()
    assert customer.aliases.filter(value="new").exists()
    assert customer.aliases.count() == MANY


def test_a_page_of_aliases_keeps_its_rows_when_those_of_others_come_and_go():
    customer, third = customer_of_many_aliases()
    client = administrator()
    form = page_of(client, third)
    rows = rows_of(form)
    for n in (0, 1, 21):
        parties.remove_alias(alias=customer.aliases.get(value=f"hub {n:03}"), actor=make.ACTOR)
    parties.add_alias(customer=customer, value="a", actor=make.ACTOR)

    refused = client.post(third, form | {f"{rows['hub 024']}-label": "CRM", "name": "Renamed"})

    told = refused.content.decode()
    # What its page showed is told, what is on other pages is not.
    assert "“hub 021” was removed." in told
    assert "“hub 000” was removed." not in told
    assert "“a” was added." not in told
    assert list(rows_of(shown_on(refused))) == [name for name in rows if name != "hub 021"]
    assert client.post(third, shown_on(refused)).status_code == 302
    assert customer.aliases.get(value="hub 024").label == "CRM"
    assert Customer.objects.get().name == "Renamed"
    assert customer.aliases.count() == MANY - 2


def test_a_page_that_is_none_is_the_first_or_the_last():
    (customer, _), client = customer_of_many_aliases(), administrator()

    for page in ("²", "0", "-1", "x", "99999999999999999999", "%00"):
        rows = rows_of(page_of(client, change_page(customer, aliases_page=page, subscriptions_page=page)))
        assert ("hub 000" in rows) != ("hub 024" in rows), page


def shown(url):
    response = administrator().get(url)
    assert response.status_code == 200
    return response.content.decode()


def subscription_of_many_lines():
    """So many seats at 1.00 a month each, and one more than a page shows."""
    owner = make.workspace()
    agreed = make.subscription(make.customer(owner))
    for n in range(ROWS_PER_PAGE + 1):
        brick = make.brick(owner, f"Seat {n:03}", aggregation="none")
        contracts.add_line(
            subscription=agreed, brick=brick, price=make.price(brick, "1", model="flat"), actor=make.ACTOR
        )
    return agreed


def test_subscriptions_of_a_customer_are_paged():
    customer = make.customer(make.workspace())
    for n in range(ROWS_PER_PAGE + 1):
        make.subscription(customer, reference=f"S-{n:03}")

    first, last = shown(change_page(customer)), shown(change_page(customer, subscriptions_page=2))

    assert "S-010" in first
    assert "S-000" not in first
    assert "Page 1 of 2, 11 in all" in first
    assert "?subscriptions-page=2" in first
    assert "S-000" in last
    assert "S-010" not in last


def test_lines_of_a_subscription_and_of_its_invoice_are_paged():
    agreed = subscription_of_many_lines()
    close(agreed.workspace, "2026-02-01")
    invoice = Invoice.objects.get()

    for row in (agreed, invoice):
        first, last = shown(change_page(row)), shown(change_page(row, page=2))

        assert "Page 1 of 2, 11 in all" in first
        assert "Seat 009" in first
        assert "Seat 010" not in first
        assert "Seat 010" in last
        assert "Seat 009" not in last
    # The total is that of all of them.
    assert "USD 11.00" in shown(change_page(invoice, page=2))


def test_upcoming_invoice_says_how_many_lines_it_leaves_out():
    agreed = subscription_of_many_lines()

    told = shown(reverse("admin:usage_preview", args=[agreed.pk]))

    assert "Seat 009" in told
    assert "Seat 010" not in told
    assert "and 1 more line, included in the total" in told
    assert "USD 11.00" in told
