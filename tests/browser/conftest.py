from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page

PASSWORD = "a long enough password"


@pytest.fixture
def visited() -> list[str]:
    """Addresses that the page has requested, in order."""
    return []


@pytest.fixture
def page(chromium: Browser, live_server, visited: list[str]) -> Iterator[Page]:
    """Yield the panel in a browser, logged in as Fiona of finance. Fail if a page throws or a resource is missing."""
    User.objects.create_superuser("fiona", password=PASSWORD, first_name="Fiona", last_name="Ledger")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.set_default_timeout(10_000)
    problems: list[str] = []
    page.on("request", lambda request: visited.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    # The browser reports here what the content security policy blocked.
    page.on("console", lambda message: problems.extend([message.text] * (message.type == "error")))
    page.on("response", lambda response: problems.extend([response.url] * (response.status >= 400)))
    page.goto(f"{live_server.url}/admin/login/")
    page.get_by_label("Username").fill("fiona")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live_server.url}/admin/")
    yield page
    context.close()
    assert problems == []
