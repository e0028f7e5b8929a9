"""The API pages in a real browser: shown, tried out, and without requests to other hosts."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests import factories as make
from tests.browser.test_panel import keep

pytestmark = [pytest.mark.once, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_api_page_is_read_and_tried_out_without_a_request_to_another_host(page, live_server, visited):
    line = make.line()
    key = make.api_key(line.workspace)

    page.goto(f"{live_server.url}/docs/")
    keep(page, "api-pages")
    page.locator("tr", has_text="Piriod").get_by_role("link", name="Read and try").click()
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("Value").fill(f"Token {key}")
    page.get_by_label("Apply credentials").click()
    page.get_by_role("button", name="Close").click()
    page.locator("#operations-usages-listUsages").click()
    keep(page, "api-page")
    page.get_by_role("button", name="Try it out").click()
    page.get_by_placeholder("x-simple-workspace").fill("acme")
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table .response").first).to_contain_text('"count": 0')
    assert {urlsplit(address).netloc for address in visited} == {urlsplit(live_server.url).netloc}
