"""Usage entered by hand through the API with the panel's own client, as the vendor's help article describes."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from billing.models import ApiKey, InvoiceLine
from tests import factories as make
from tests.browser.test_panel import go, keep
from tests.scenarios.closing import close_and_issue, totals
from usage.models import UsageRecord

pytestmark = [pytest.mark.once, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def choose(page: Page, title: str) -> None:
    page.locator("#nav-sidebar a").filter(has=page.get_by_text(title, exact=True)).click()
    page.wait_for_load_state("networkidle")


def query(page: Page) -> str:
    return "\n".join(page.locator(".graphiql-query-editor .CodeMirror-line").all_inner_texts())


def fill_in(page: Page, argument: str, text: str) -> None:
    """Replace the text of an argument."""
    page.locator(".graphiql-query-editor .CodeMirror-line").filter(has_text=f"{argument}:").click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.insert_text(f"{argument}: {text}")


def run(page: Page) -> Any:
    """Run the query and return the response that is shown."""
    with page.expect_response("**/salesbricks/api/v1/usage") as reply:
        page.locator(".graphiql-execute-button").click()
    expect(page.locator(".graphiql-response .CodeMirror-code")).to_contain_text('"success": true')
    return reply.value.json()


def test_the_vendors_help_article_can_be_followed(page, live_server):
    line = make.line(unit_price="2")

    choose(page, "API keys")
    page.get_by_role("link", name="Add API key").click()
    page.get_by_label("Name").fill("by hand")
    page.get_by_role("button", name="Create key").click()
    token = page.locator(".panel-secret code").inner_text()

    choose(page, "Subscriptions")
    page.locator("#result_list").get_by_role("link", name="Globex").click()
    subscription_id = page.locator(".panel-facts .wide code").inner_text()

    choose(page, "Bricks")
    page.locator("#result_list").get_by_role("link", name="API calls").click()
    page.wait_for_url("**/change/")
    brick_id = urlsplit(page.url).path.split("/")[-3]

    choose(page, "GraphQL client")
    expect(page.get_by_text(f"{live_server.url}/salesbricks/api/v1/usage")).to_be_visible()
    page.get_by_label("X-SALESBRICKS-KEY").fill(token)
    fill_in(page, "subscriptionId", f'"{subscription_id}"')
    fill_in(page, "brickId", f'"{brick_id}"')
    for timestamp, count in (("2026-01-05T10:00:00Z", "10"), ("2026-01-26T10:00:00Z", "20")):
        fill_in(page, "timestamp", f'"{timestamp}"')
        fill_in(page, "count", count)
        assert run(page) == {"data": {"incrementCounter": {"success": True}}}
    keep(page, "browser-graphql")
    close_and_issue(line.workspace, "2026-02-01")

    assert (subscription_id, brick_id) == (str(line.subscription_id), str(line.brick_id))
    assert ApiKey.objects.get().prefix == token[:13]
    assert InvoiceLine.objects.get().quantity == 30
    assert totals(line.workspace) == ["60.00"]


def test_a_line_leads_to_the_client_with_its_ids_filled_in(page, live_server):
    gauge = make.line(aggregation="unit_days")
    token = make.api_key(gauge.workspace)

    go(page, live_server.url, "billing_subscription_change", gauge.subscription_id)
    page.get_by_role("link", name="GraphQL", exact=True).click()
    page.get_by_label("X-SALESBRICKS-KEY").fill(token)
    fill_in(page, "value", "3")
    written = query(page)
    answered = run(page)

    assert f'subscriptionId: "{gauge.subscription_id}"' in written
    assert f'brickId: "{gauge.brick_id}"' in written
    assert "incrementCounter" not in written
    assert answered == {"data": {"setGauge": {"success": True}}}
    assert UsageRecord.objects.get().quantity == 3


def test_the_client_keeps_no_token_asks_no_other_host_and_fits_the_window(page, live_server, visited):
    line = make.line()
    token = make.api_key(line.workspace)
    page.goto(f"{live_server.url}{reverse('graphql_client')}?line={line.pk}")
    page.get_by_label("X-SALESBRICKS-KEY").fill(token)
    fill_in(page, "count", "1")
    run(page)

    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    page.reload()

    assert token not in stored
    assert page.get_by_label("X-SALESBRICKS-KEY").input_value() == ""
    assert {urlsplit(address).netloc for address in visited if not address.startswith("data:")} == {
        urlsplit(live_server.url).netloc
    }
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_a_token_nothing_is_sent(page, live_server, visited):
    page.goto(f"{live_server.url}{reverse('graphql_client')}")
    page.locator(".graphiql-execute-button").click()

    expect(page.locator(".graphiql-response .CodeMirror-code")).to_contain_text("Paste the API token first.")
    assert [address for address in visited if "/salesbricks/" in address] == []
