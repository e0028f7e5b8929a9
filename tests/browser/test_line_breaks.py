"""Identifiers with line breaks, which browsers remove from the fields that show them."""

import pytest
from playwright.sync_api import Page

from billing.models import Customer, CustomerAlias, EventRule
from tests import factories as make
from tests.browser.test_panel import go

pytestmark = [pytest.mark.once, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def rename(page: Page) -> None:
    page.locator("[name=name]").fill("Renamed")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state("networkidle")


def test_names_that_had_line_breaks_before_stay_where_something_else_is_changed(page, live_server):
    customer = make.customer(make.workspace(), aliases=["x"])
    Customer.objects.update(reference="a\nb")
    CustomerAlias.objects.update(value="x\ny")

    go(page, live_server.url, "billing_customer_change", customer.pk)
    rename(page)

    customer.refresh_from_db()
    assert (customer.name, customer.reference, customer.aliases.get().value) == ("Renamed", "a\nb", "x\ny")


def test_a_rule_that_had_line_breaks_before_stays_where_something_else_is_changed(page, live_server):
    brick = make.event_brick(make.workspace())
    EventRule.objects.update(event_type="t\ne", filters={"p": ["a\r\nb"]})

    go(page, live_server.url, "billing_brick_change", brick.pk)
    rename(page)

    brick.refresh_from_db()
    rule = EventRule.objects.get()
    assert (brick.name, rule.event_type, rule.filters) == ("Renamed", "t\ne", {"p": ["a\r\nb"]})
