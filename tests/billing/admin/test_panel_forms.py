"""A form that was filled in under another number format is refused once and shows both readings."""

from decimal import Decimal

import pytest
from django.urls import reverse

from billing.models import Line, Price, Subscription, Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator, errors_of
from tests.billing.admin.test_entry_fields import ADD_PRICE, ADD_SUBSCRIPTION, COMMA, ECHO, flat
from tests.billing.admin.test_seen import change_page, told_on
from tests.billing.admin.test_subscriptions import agreed

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NUMBERS = "Nothing was saved: the format of entries was 1.234,5 and is 1,234.5 now. Check and save again."
DAYS = "Nothing was saved: the format of entries was 30/11/2026 and is 11/30/2026 now. Check and save again."


def now_with(**formats: str) -> None:
    Workspace.objects.update(**formats)


def test_price_that_was_read_by_another_format_is_refused_once_and_tells_both():
    brick, client = make.brick(make.workspace(**COMMA)), administrator()
    data = flat(brick, "1.234")
    shown = page_of(client, reverse(ADD_PRICE))
    echoed = client.post(reverse(ADD_PRICE), data, **ECHO).json()
    now_with(number_format="point")

    refused = client.post(reverse(ADD_PRICE), data | {"read_as": echoed["read_as"]})

    assert shown["read_as"] == echoed["read_as"] == "1.234,5"
    assert echoed["unit_price"]["text"] == "1.234: a whole number"
    assert NUMBERS in told_on(refused)
    assert not Price.objects.exists()
    again = shown_on(refused)
    assert again["unit_price"] == "1.234"
    assert client.post(reverse(ADD_PRICE), again).status_code == 302
    assert Price.objects.get().unit_price == Decimal("1.234")


def test_first_day_that_was_read_by_another_format_is_refused_once_and_tells_both(time_machine):
    time_machine.move_to("2026-11-26T12:00Z")
    customer, client = make.customer(make.workspace(day_format="dd/mm/yyyy")), administrator()
    url, data = reverse(ADD_SUBSCRIPTION), agreed(customer=customer.pk, starts_on="10/11/2026")
    echoed = client.post(url, data, **ECHO).json()["read_as"]
    now_with(day_format="mm/dd/yyyy")

    refused = client.post(url, data | {"read_as": echoed})

    assert errors_of(refused)["__all__"] == [DAYS]
    assert not Subscription.objects.exists()
    assert client.post(url, shown_on(refused)).status_code == 302
    assert Subscription.objects.get().starts_at == make.moment("2026-10-11")


def test_a_page_that_knows_whose_it_is_carries_the_formats_without_a_script():
    customer, client = make.customer(make.workspace(day_format="dd/mm/yyyy")), administrator()
    url = f"{reverse(ADD_SUBSCRIPTION)}?customer={customer.pk}"
    shown = page_of(client, url)
    now_with(day_format="mm/dd/yyyy")

    refused = client.post(url, shown | {"starts_on": "10/11/2026"})

    assert shown["read_as"] == "30/11/2026"
    assert errors_of(refused)["__all__"] == [DAYS]


def test_limit_and_changed_price_are_refused_once_too():
    line, client = make.line(make.workspace(**COMMA)), administrator()
    limits = reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk])
    price = change_page(line.price)
    limits_shown, price_shown = page_of(client, limits), page_of(client, price)
    now_with(number_format="point")

    limits_refused = client.post(limits, limits_shown | {"hard_limit_quantity": "1.234"})
    price_refused = client.post(price, price_shown | {"unit_price": "1.234"})

    assert errors_of(limits_refused)["__all__"] == [NUMBERS]
    assert NUMBERS in told_on(price_refused)
    assert Line.objects.get().hard_limit_quantity is None
    assert client.post(limits, shown_on(limits_refused)).status_code == 302
    assert client.post(price, shown_on(price_refused)).status_code == 302
    assert Line.objects.get().hard_limit_quantity == Decimal("1.234")
    assert Price.objects.get().unit_price == Decimal("1.234")


def test_format_that_a_form_does_not_read_by_refuses_nothing():
    line, client = make.line(make.workspace(**COMMA)), administrator()
    url = reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk])
    shown = page_of(client, url)
    now_with(day_format="mm/dd/yyyy")

    assert client.post(url, shown | {"hard_limit_quantity": "1.234"}).status_code == 302
    assert Line.objects.get().hard_limit_quantity == 1234


def test_workspace_that_chooses_another_format_is_saved_at_once():
    owner, client = make.workspace(), administrator()
    shown = page_of(client, change_page(owner))

    assert client.post(change_page(owner), shown | {"number_format": "comma"}).status_code == 302
    owner.refresh_from_db()
    assert owner.number_format == "comma"
