"""The panel's work of finance staff, in a real browser."""

import os
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from billing import contracts
from billing.models import ApiKey, CloseRun, Customer, Invoice, InvoiceLine, Line, Price, Workspace
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue
from usage.models import UsageRecord

pytestmark = [pytest.mark.once, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def keep(page: Page, name: str) -> None:
    """Save a screenshot if SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def go(page: Page, base: str, name: str, *args: object, query: str = "") -> None:
    page.goto(f"{base}{reverse(f'admin:{name}', args=args)}{query}")
    page.wait_for_load_state("networkidle")


def a_customer_of_globex() -> Line:
    """Return a line of Globex with 10 units at $2 and the rest at $1, in a subscription with a gauge and a fee."""
    line = make.line(
        make.workspace(time_zone="Europe/Berlin"),
        model="graduated",
        tiers=[("10", "2", "0"), (None, "1", "0")],
        starts_on=date(2026, 1, 1),
    )
    for name, aggregation, model in (("Seats", "unit_days", "per_unit"), ("Platform fee", "none", "flat")):
        brick = make.brick(line.workspace, name, aggregation=aggregation, unit_label=name.lower())
        price = make.price(brick, "0.35" if model == "per_unit" else "49", model=model)
        contracts.add_line(subscription=line.subscription, brick=brick, price=price, actor=make.ACTOR)
    return line


def test_usage_is_added_closed_issued_and_traced_back_to_its_record(page, live_server, eager_tasks):
    line = a_customer_of_globex()
    url = live_server.url

    go(page, url, "usage_usagerecord_add")
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").type("Glo")
    page.get_by_role("option", name="Globex").click()
    expect(page.get_by_role("heading", name="Add usage of Globex")).to_be_visible()
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").type("api")
    page.get_by_role("option", name="API calls").click()
    assert page.locator("[name=line]").input_value() == str(line.pk)
    page.locator("[name=occurred_at_0]").fill("2026-01-20")
    page.locator("[name=occurred_at_1]").fill("23:30")
    expect(page.locator("[data-of=occurred_at]")).to_have_text("Tue 20 Jan 2026, 23:30, open period")
    page.get_by_label("Quantity").fill("12")
    keep(page, "browser-add-usage")
    page.get_by_role("button", name="Add usage").click()
    expect(page.get_by_text("The usage was recorded.")).to_be_visible()
    record = UsageRecord.objects.get()
    assert (record.occurred_at, record.recorded_by) == (
        make.moment("2026-01-20 23:30", tz="Europe/Berlin"),
        "Fiona Ledger",
    )

    go(page, url, "billing_closerun_add")
    page.get_by_label("Last day").fill("2026-01-31")
    page.get_by_role("button", name="Compute drafts").click()
    expect(page.locator("#drafts")).to_contain_text("USD 71.00")
    keep(page, "browser-run")
    page.get_by_role("link", name="Issue all").click()
    page.get_by_role("button", name="Issue all").click()
    expect(page.locator("#progress")).to_contain_text("Issued")

    page.get_by_role("link", name="INV-000001").click()
    expect(page.locator("#invoice-lines")).to_contain_text("10 units (up to 10) x 2.00 = 20.00")
    expect(page.locator("#invoice-lines")).to_contain_text("There was no earlier value: it opened with 0.")
    keep(page, "browser-invoice")
    page.get_by_role("link", name="1 record", exact=True).click()
    expect(page.locator("#result_list tbody tr.data-row")).to_have_count(1)
    page.locator("#result_list th a").click()
    page.wait_for_url(f"**/{record.pk}/change/**")
    assert CloseRun.objects.get().decided_by == "Fiona Ledger"


def test_what_is_typed_is_read_by_the_server_while_it_is_typed(page, live_server):
    owner = make.workspace(time_zone="Europe/Berlin", number_format="comma", day_format="dd.mm.yyyy")
    line = make.line(owner, starts_on=date(2026, 1, 1))
    close(owner, "2026-02-01", tz="Europe/Berlin")

    go(page, live_server.url, "usage_usagerecord_add", query=f"?customer={line.subscription.customer_id}")
    quantity = page.get_by_label("Quantity")
    quantity.press_sequentially("12.5")
    echo = page.locator("[data-of=quantity]")
    expect(echo).to_contain_text("It could mean 12,5 or 125")
    page.locator("[name=occurred_at_0]").press_sequentially("31/01/2026")
    page.locator("[name=occurred_at_1]").press_sequentially("23:30")
    expect(page.locator("[data-of=occurred_at]")).to_contain_text("It could mean Sat 31 Jan 2026")
    keep(page, "browser-entry-unread")
    quantity.fill("")
    quantity.press_sequentially("12,5")
    expect(echo).to_have_text("12,5: with 1 decimal")
    page.locator(".panel-pick input").fill("2026-01-31")
    expect(page.locator("[name=occurred_at_0]")).to_have_value("2026-01-31")
    expect(page.locator("[data-of=occurred_at]")).to_have_text("Sat 31 Jan 2026, 23:30, closed period")
    keep(page, "browser-entry-read")

    page.get_by_role("button", name="Add usage").click()
    expect(page.get_by_text("Please confirm")).to_be_visible()
    keep(page, "browser-entry-once-more")
    assert not UsageRecord.objects.exists()
    page.locator("[name=once_more]").check()
    page.get_by_role("button", name="Add usage").click()
    expect(page.get_by_text("The usage was recorded.")).to_be_visible()
    record = UsageRecord.objects.get()
    assert (record.quantity, record.is_late) == (Decimal("12.5"), True)
    assert record.occurred_at == make.moment("2026-01-31 23:30", tz="Europe/Berlin")


def test_what_was_shown_of_what_is_typed_is_what_is_saved_or_nothing(page, live_server):
    owner = make.workspace(number_format="comma")
    brick = make.brick(owner)

    go(page, live_server.url, "billing_price_add")
    page.locator("[name=name]").fill("Standard")
    page.locator(".select2-selection").first.click()
    page.locator(".select2-search__field").type(brick.name[:3])
    page.get_by_role("option", name=brick.name).click()
    page.locator("[name=model]").select_option("per_unit")
    page.locator("[name=currency]").fill("USD")
    page.locator("[name=unit_price]").fill("1.234")
    expect(page.locator("[data-of=unit_price]")).to_have_text("1.234: a whole number")
    expect(page.locator("[name=read_as]")).to_have_value("1.234,5")
    Workspace.objects.update(number_format="point")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is 1,234.5 now")).to_be_visible()
    expect(page.locator("[data-of=unit_price]")).to_have_text("1.234: with 3 decimals")
    keep(page, "browser-price-read-otherwise")
    assert not Price.objects.exists()

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert Price.objects.get().unit_price == Decimal("1.234")


def test_one_of_two_times_is_chosen_in_the_hour_that_is_repeated(page, live_server):
    line = make.line(make.workspace(time_zone="Europe/Berlin"), starts_on=date(2026, 1, 1))

    go(page, live_server.url, "usage_usagerecord_add", query=f"?customer={line.subscription.customer_id}")
    page.locator("[name=occurred_at_0]").fill("2026-10-25")
    page.locator("[name=occurred_at_1]").fill("02:30")
    page.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Add usage").click()
    page.locator("[name=occurred_at_2]").select_option(label="Sun 25 Oct 2026, 02:30 (+01:00)")
    keep(page, "browser-entry-twice")
    page.get_by_role("button", name="Add usage").click()
    expect(page.get_by_text("The usage was recorded.")).to_be_visible()

    assert UsageRecord.objects.get().occurred_at == make.moment("2026-10-25 01:30")


def test_a_price_is_searched_for_and_makes_a_line(page, live_server):
    line = a_customer_of_globex()
    storage = make.price(make.brick(line.workspace, "Storage"), "3")
    make.price(make.brick(make.workspace("other"), "Storage of others"), "4")

    go(page, live_server.url, "billing_subscription_add_line", line.subscription_id)
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").type("sto")
    expect(page.get_by_role("option")).to_have_text([f"Storage — {storage}"])
    keep(page, "browser-pick-price")
    page.get_by_role("option").click()
    page.get_by_role("button", name="Add line").click()

    expect(page.get_by_text("Storage is line 4 of the subscription.")).to_be_visible()
    assert line.subscription.lines.latest("number").price == storage


def test_record_is_corrected_and_the_chain_shown(page, live_server):
    line = a_customer_of_globex()
    record = make.use(line, "12", "2026-01-20 10:00", tz="Europe/Berlin")

    go(page, live_server.url, "usage_usagerecord_change", record.id)
    page.get_by_role("link", name="Correct").click()
    page.get_by_label("Quantity").fill("7")
    page.get_by_label("Reason").fill("misread")
    keep(page, "browser-correct")
    page.get_by_role("button", name="Correct").click()

    expect(page.locator("#chain tbody tr")).to_have_count(2)
    expect(page.locator("#chain")).to_contain_text("misread")
    assert UsageRecord.objects.latest("id").occurred_at == record.occurred_at


def test_tiers_are_added_to_a_price_and_what_is_wrong_is_shown(page, live_server):
    line = a_customer_of_globex()

    go(page, live_server.url, "billing_price_add")
    page.locator("[name=name]").fill("Gold")
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").type("API")
    page.get_by_role("option", name="API calls").click()
    page.locator("[name=model]").select_option("graduated")
    page.locator("[name=currency]").fill("USD")
    page.get_by_text("Add another Price tier").click()
    page.locator("[name=tiers-0-up_to]").fill("1,000")
    page.locator("[name=tiers-0-unit_price]").fill("0.25")
    expect(page.locator("[data-of=tiers-0-up_to]")).to_have_text("1,000: a whole number")
    expect(page.locator("[data-of=tiers-0-unit_price]")).to_have_text("0.25: with 2 decimals")
    keep(page, "browser-price-echo")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The last tier must be open, without a bound.")).to_be_visible()
    keep(page, "browser-price-error")
    page.locator("[name=tiers-0-up_to]").fill("")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert line.brick.prices.count() == 2


def test_new_key_is_shown_once_and_copied(page, live_server):
    make.workspace()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    go(page, live_server.url, "billing_apikey_add")
    page.get_by_label("Name").fill("meter")
    page.get_by_role("button", name="Create key").click()
    text = page.locator(".panel-secret code").inner_text()
    page.locator(".panel-secret [data-copy]").click()
    expect(page.locator(".panel-secret .copied")).to_be_visible()
    keep(page, "browser-key")

    assert page.evaluate("navigator.clipboard.readText()") == text
    assert text.startswith(ApiKey.objects.get().prefix)


def main_pages() -> list[tuple[str, tuple[object, ...], str]]:
    line = Line.objects.earliest("id")
    subscription, workspace = line.subscription, line.workspace
    record, run, invoice = (model.objects.latest("id").pk for model in (UsageRecord, CloseRun, Invoice))
    lists = ["customer", "subscription", "brick", "price", "closerun", "invoice", "apikey", "workspace"]
    added = ["customer", "subscription", "brick", "price", "closerun", "apikey", "workspace"]
    rows = {
        "customer": subscription.customer_id,
        "subscription": subscription.pk,
        "brick": line.brick_id,
        "price": line.price_id,
        "closerun": run,
        "invoice": invoice,
        "apikey": ApiKey.objects.latest("id").pk,
        "workspace": workspace.pk,
    }
    return [
        ("index", (), ""),
        *((f"billing_{name}_changelist", (), "") for name in lists),
        *((f"billing_{name}_add", (), "") for name in added),
        *((f"billing_{name}_change", (pk,), "") for name, pk in rows.items()),
        *((f"billing_subscription_{action}", (subscription.pk,), "") for action in ("add_line", "end", "history")),
        ("billing_line_end", (subscription.pk, line.pk), ""),
        ("billing_closerun_issue_all", (run,), ""),
        ("billing_closerun_discard", (run,), ""),
        ("billing_price_copy", (line.price_id,), ""),
        ("usage_usagerecord_changelist", (), ""),
        ("usage_usagerecord_changelist", (), f"?invoice_line={InvoiceLine.objects.earliest('id').pk}"),
        ("usage_usagerecord_add", (), ""),
        ("usage_usagerecord_add", (), f"?customer={subscription.customer_id}"),
        *((f"usage_usagerecord_{view}", (record,), "") for view in ("change", "correct", "retract")),
        ("auth_user_changelist", (), ""),
        ("auth_user_add", (), ""),
        ("auth_user_change", (User.objects.latest("id").pk,), ""),
        ("auth_group_add", (), ""),
        ("app_list", ("billing",), ""),
        ("password_change", (), ""),
    ]


def test_no_page_loads_anything_from_elsewhere_or_is_wider_than_the_window(page, live_server, visited):
    line = a_customer_of_globex()
    make.use(line, "12", "2026-01-20")
    make.api_key(line.workspace)
    close_and_issue(line.workspace, "2026-02-01", tz="Europe/Berlin")
    close(line.workspace, "2026-03-01", tz="Europe/Berlin")
    wide = []

    for name, args, query in main_pages():
        go(page, live_server.url, name, *args, query=query)
        keep(page, re.sub(r"\W", "-", f"page-{name}{query[:9]}"))
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(name)

    assert {urlsplit(address).netloc for address in visited if not address.startswith("data:")} == {
        urlsplit(live_server.url).netloc
    }
    assert wide == []
    assert Workspace.objects.count() == 2


def test_workspace_is_switched_by_keyboard_and_stays_switched(page, live_server):
    line = a_customer_of_globex()
    make.customer(line.workspace.twin, "Globex in test mode")
    go(page, live_server.url, "billing_customer_changelist")
    switch = page.locator("#workspace-switch summary")

    switch.focus()
    page.keyboard.press("Enter")
    keep(page, "browser-switch")
    page.keyboard.press("Escape")
    expect(page.locator("#workspace-switch form")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list")).to_contain_text("Globex in test mode")
    expect(switch).to_contain_text("Acme")
    expect(switch.locator(".panel-test")).to_have_text("Test")
    keep(page, "browser-switched")
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("billing_customer_changelist", "index", "billing_customer_add", "usage_usagerecord_changelist"):
        go(page, live_server.url, name)
        switch.click()
        keep(page, f"browser-switch-phone-{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        expect(page.get_by_role("button", name="Acme Test")).to_be_in_viewport()


def test_ctrl_k_finds_a_customer_and_goes_there(page, live_server):
    line = a_customer_of_globex()
    go(page, live_server.url, "index")

    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("nobody")
    expect(page.locator("#command-results-list")).to_contain_text("Nothing found for “nobody”")
    page.locator("#search-input-command").press("Enter")
    page.locator("#search-input-command").fill("")
    page.locator("#search-input-command").press_sequentially("glob")
    expect(page.locator("#command-results-list a")).to_have_count(2)
    keep(page, "palette")
    page.locator("#search-input-command").press("Enter")
    page.wait_for_url(f"**{reverse('admin:billing_customer_change', args=[line.subscription.customer_id])}")


@pytest.mark.parametrize("name", ["auth_user_add", "auth_user_change", "auth_group_add", "billing_brick_add"])
@pytest.mark.parametrize("width", [1280, 1024, 390])
def test_a_form_is_no_wider_than_the_screen(page, live_server, name, width):
    page.set_viewport_size({"width": width, "height": 900})
    arguments = [User.objects.get().pk] if name.endswith("change") else []

    go(page, live_server.url, name, *arguments)

    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1280, 390])
def test_long_words_stay_on_the_page_and_ids_in_tables_are_readable(page, live_server, width):
    line = a_customer_of_globex()
    customer = line.subscription.customer
    Customer.objects.filter(pk=customer.pk).update(name="Donaudampfschifffahrtsgesellschaft" * 5)
    page.set_viewport_size({"width": width, "height": 900})

    def is_within() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

    for name, pk in (("billing_subscription_change", line.subscription_id), ("billing_customer_change", customer.pk)):
        go(page, live_server.url, name, pk)
        # A UUID in two rows of 13-pixel letters.
        assert page.locator("td.id code").first.bounding_box()["height"] < 50, name
        assert is_within(), name
    page.get_by_role("button", name="Save", exact=True).click()
    message = page.get_by_text("was changed successfully")
    expect(message).to_be_visible()
    assert is_within()
    assert message.evaluate("box => box.scrollWidth <= box.clientWidth")
    go(page, live_server.url, "usage_usagerecord_add", query=f"?customer={customer.pk}")
    assert page.locator(".panel-title").evaluate("title => title.scrollWidth <= title.clientWidth")
    keep(page, f"browser-long-words-{width}")
