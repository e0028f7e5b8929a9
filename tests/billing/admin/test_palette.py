"""Search with Ctrl+K."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests import factories as make
from tests.scenarios.closing import close_and_issue

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def fiona(*permissions: str) -> Client:
    person = User.objects.get_or_create(username="fiona", defaults={"is_staff": True})[0]
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(person)
    return browser


def found(browser: Client, term: str) -> list[str]:
    page = browser.get("/admin/search/", {"extended": "1", "s": term}).content.decode()
    return re.findall(r'data-title="([^"]*)"', page)


def test_customers_subscriptions_and_invoices_are_found_as_their_lists_find_them():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")
    browser = fiona("view_customer", "view_subscription", "view_invoice")

    assert found(browser, "glob") == ["Globex", "Globex", "INV-000001"]
    assert found(browser, "inv-000001") == ["INV-000001"]
    assert found(browser, str(line.subscription_id)) == ["Globex"]
    assert found(browser, "lobex") == []


def test_pages_are_found_by_name():
    assert found(fiona("view_invoice"), "voice") == ["Invoices"]


def test_what_a_person_may_not_see_is_not_found():
    make.line()

    assert found(fiona("view_customer"), "glob") == ["Globex"]


def test_what_was_found_before_is_not_told_again():
    browser = fiona("view_customer")
    owner = make.workspace()
    make.customer(owner)
    assert found(browser, "glob") == ["Globex"]
    User.objects.get().user_permissions.clear()

    assert found(browser, "glob") == []


def test_only_the_first_of_many_are_told():
    owner = make.workspace()
    for number in range(9):
        make.customer(owner, name=f"Globex {number}")

    assert found(fiona("view_customer"), "glob") == [f"Globex {number}" for number in range(8)]


def test_a_reference_is_found_and_shown_with_the_blanks_at_its_ends():
    owner = make.workspace()
    make.customer(owner, reference="Customer 7 ")
    make.customer(owner, reference="Customer 7")

    page = fiona("view_customer").get("/admin/search/", {"extended": "1", "s": "Customer 7 "}).content.decode()

    assert "Customer 7␣" in page
    assert found(fiona("view_invoice"), " voice ") == ["Invoices"]


@pytest.mark.parametrize("term", ["", " ", "\0", "x" * 201])
def test_a_term_that_is_none_finds_nothing(term):
    assert found(fiona("view_customer"), term) == []


def test_a_term_that_finds_nothing_is_told_as_text():
    page = fiona().get("/admin/search/", {"s": "<b>"}).content.decode()

    assert "Nothing found for “&lt;b&gt;”" in page


def test_a_stranger_finds_nothing():
    assert Client().get("/admin/search/", {"s": "glob"}).status_code == 302
