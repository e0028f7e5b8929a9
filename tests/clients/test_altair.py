"""Altair, the GraphQL client that Salesbricks' help article names, on its own site in a real browser."""

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from billing.models import AllowedOrigin, Line
from tests import factories as make
from tests.clients import npm
from usage.models import UsageRecord

pytestmark = [pytest.mark.once, pytest.mark.node, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOLDER = Path(__file__).parent / "altair"


class Site(ThreadingHTTPServer):
    """Altair's files. The first page is rendered by Altair's own package, with options."""

    page = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def render(self, **options: Any) -> None:
        command = ["node", "render.js", json.dumps({"baseURL": "/", "disableAccount": True, **options})]
        self.page = subprocess.run(command, cwd=FOLDER, capture_output=True, check=True, timeout=60).stdout


class Files(SimpleHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path != "/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)
        return None

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve Altair on its own port: for the browser, another origin than the API's."""
    files = npm.install(FOLDER) / "altair-static/build/dist"
    with Site(("127.0.0.1", 0), partial(Files, directory=str(files))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def query(mutation: str, argument: str, line: Line) -> str:
    return f"""mutation {{
  {mutation}(
    timestamp: "2026-07-16T10:15:30Z"
    subscriptionId: "{line.subscription_id}"
    brickId: "{line.brick_id}"
    {argument}: 7
  ) {{
    success
  }}
}}"""


@pytest.mark.parametrize(
    ("mutation", "argument", "aggregation"),
    [("incrementCounter", "count", "sum"), ("setGauge", "value", "unit_days")],
)
def test_altair_reads_the_schema_and_runs_a_mutation(page, site, live_server, mutation, argument, aggregation):
    line = make.line(aggregation=aggregation)
    AllowedOrigin.objects.create(workspace=line.workspace, origin=site.url)
    visited = []
    page.on("request", lambda request: visited.append(request.url))
    site.render(
        endpointURL=f"{live_server.url}/salesbricks/api/v1/usage",
        initialHeaders={"X-SALESBRICKS-KEY": make.api_key(line.workspace)},
        initialQuery=query(mutation, argument, line),
    )

    with page.expect_response(lambda answer: is_about(answer, "IntrospectionQuery")) as introspection:
        page.goto(site.url)
    with page.expect_response(lambda answer: is_about(answer, mutation)) as ran:
        page.locator(".send-request__button").first.click()
    expect(page.locator(".cm-content").filter(has_text='"success": true')).to_be_visible()

    assert introspection.value.json()["data"]["__schema"]["mutationType"] == {"name": "Mutation"}
    assert (ran.value.status, ran.value.json()) == (200, {"data": {mutation: {"success": True}}})
    assert list(UsageRecord.objects.values_list("line", "quantity", "dialect")) == [(line.pk, 7, "salesbricks_v1")]
    assert {urlsplit(address).netloc for address in visited if address.startswith("http")} == {
        urlsplit(site.url).netloc,
        urlsplit(live_server.url).netloc,
    }


def is_about(answer: Any, text: str) -> bool:
    return "/salesbricks/" in answer.url and text in (answer.request.post_data or "")
