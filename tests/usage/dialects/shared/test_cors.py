"""Pages of other sites are refused by default, and allowed where the workspace names their site."""

import pytest
from django.test import Client

from billing.models import AllowedOrigin
from tests import factories as make

pytestmark = [pytest.mark.django_db, pytest.mark.once]

SITE = "https://app.example.com"


@pytest.fixture
def line():
    return make.line()


def ask(path="/salesbricks/api/v2/usage", origin=SITE, method="POST"):
    return Client().options(path, headers={"origin": origin, "access-control-request-method": method})


def report(key, line, origin=SITE):
    body = {
        "transaction_id": "t-1",
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "value": 7,
        "time": "2026-07-16T10:15:30Z",
    }
    headers = {"x-salesbricks-key": key, **({"origin": origin} if origin else {})}
    return Client().post("/salesbricks/api/v2/usage", body, content_type="application/json", headers=headers)


def allow(workspace, origin=SITE):
    AllowedOrigin.objects.create(workspace=workspace, origin=origin)


def test_by_default_no_page_may_call(line):
    preflight = ask()

    assert preflight.status_code == 204
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert "Access-Control-Allow-Origin" not in report(make.api_key(line.workspace), line).headers


def test_an_allowed_page_may_call_and_read(line):
    allow(line.workspace)

    preflight, reply = ask(), report(make.api_key(line.workspace), line)

    assert preflight.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    sent = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "x-salesbricks-key", "x-salesbricks-idempotent-operation-key"} <= set(sent)
    assert (reply.status_code, reply.headers["Access-Control-Allow-Origin"]) == (201, SITE)
    assert "Origin" in reply.headers["Vary"]


def test_a_page_reads_errors_too(line):
    allow(line.workspace)

    reply = report("nobody's key at all", line)

    assert (reply.status_code, reply.headers["Access-Control-Allow-Origin"]) == (401, SITE)


def test_another_site_may_not_read(line):
    allow(line.workspace)

    reply = report(make.api_key(line.workspace), line, origin="https://evil.example.com")

    assert "Access-Control-Allow-Origin" not in reply.headers


def test_a_site_of_another_workspace_may_not_read(line):
    allow(make.workspace("other"))

    assert "Access-Control-Allow-Origin" not in report(make.api_key(line.workspace), line).headers


def test_the_twin_has_the_live_workspaces_sites(line):
    allow(line.workspace)

    reply = report(make.api_key(line.workspace.twin), line)

    assert reply.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize("origin", ["", "null", "x" * 3000, "http://\x00"])
def test_odd_origins_are_only_refused(line, origin):
    assert "Access-Control-Allow-Origin" not in ask(origin=origin).headers


def test_a_service_that_is_no_browser_gets_no_such_headers(line):
    allow(line.workspace)

    reply = report(make.api_key(line.workspace), line, origin=None)

    assert "Access-Control-Allow-Origin" not in reply.headers
