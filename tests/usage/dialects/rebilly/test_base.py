"""Rebilly: keys and organizations, rates, browsers, and what is not served."""

import pytest
from django.test import Client

from billing.keys import forget_trusted
from billing.models import AllowedOrigin, ApiKey
from tests import factories as make
from tests.usage.dialects.clients import ServiceClient
from tests.usage.dialects.rebilly.client import MOUNT, Rebilly, problem
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

SITE = "https://app.example.com"


@pytest.fixture
def rebilly(key):
    return Rebilly(key)


def test_the_key_is_an_apikey_or_a_bearers_token(rebilly, key):
    bearer = Rebilly(key)
    bearer.headers = {"authorization": f"Bearer {key}"}

    assert rebilly.listed().status_code == 200
    assert bearer.listed().status_code == 200


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "Authentication credentials were not provided."),
        ({"reb-apikey": " "}, "Authentication credentials were not provided."),
        ({"authorization": "Token x"}, "Authentication credentials were not provided."),
        ({"authorization": "Bearer"}, "Invalid API key."),
        ({"reb-apikey": "sk_unknown", "authorization": "Bearer x"}, "Invalid API key."),
    ],
)
def test_without_a_key_nothing_is_told(rebilly, headers, detail):
    rebilly.headers = headers

    response = rebilly.listed()

    assert (response.status_code, response.json()) == (401, problem(401, "Unauthorized", detail))
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("organization", ["other", "ACME", "acme2", "x" * 300])
def test_another_organization_is_forbidden(line, rebilly, organization):
    make.workspace("other")
    rebilly.mount = f"/rebilly/organizations/{organization}"
    detail = "You do not have permission to perform this action."

    for response in (rebilly.listed(), rebilly.post(line.number)):
        assert (response.status_code, response.json()) == (403, problem(403, "Forbidden", detail))
    assert UsageRecord.objects.count() == 0


def test_a_key_of_the_twin_leads_to_the_twin(line):
    twins = make.line(line.workspace.twin)
    testing = Rebilly(make.api_key(line.workspace.twin))

    assert testing.post(twins.number).status_code == 201
    assert testing.post(make.line(line.workspace).number).status_code == 422
    assert UsageRecord.objects.get().workspace == line.workspace.twin


def test_usages_of_other_workspaces_are_not_to_be_seen(rebilly, line):
    other = make.workspace("other")
    stranger = Rebilly(make.api_key(other), mount="/rebilly")
    theirs = stranger.post(make.line(other).number).json()["id"]

    assert rebilly.ids() == []
    assert rebilly.ids(filter=f"id:{theirs}") == []
    for method in ("GET", "DELETE"):
        response = rebilly(method, f"/usages/{theirs}")
        assert (response.status_code, response.json()) == (404, problem(404, "Not Found", "Not found."))
    assert stranger.ids() == [theirs]


@pytest.mark.parametrize(("method", "path"), [("PUT", "/usages"), ("PUT", "/usages/1"), ("PATCH", "/usages/1")])
def test_other_methods_are_not_allowed(rebilly, method, path):
    response = ServiceClient(MOUNT, rebilly.headers)(method, path, {})

    detail = f'Method "{method}" not allowed.'
    assert (response.status_code, response.json()) == (405, problem(405, "Method Not Allowed", detail))


@pytest.mark.parametrize("path", ["", "/", "/subscriptions", "/usages/1/lines"])
def test_a_path_that_is_not_served_is_not_found(rebilly, path):
    response = ServiceClient(MOUNT, rebilly.headers)("GET", path)

    assert (response.status_code, response.json()) == (404, problem(404, "Not Found", "Not found."))


def test_a_key_is_told_its_rate_and_when_to_come_back(rebilly, line):
    assert "X-RateLimit-Limit" not in rebilly.post(line.number).headers
    ApiKey.objects.update(requests_per_minute=2)
    forget_trusted()

    first, second, refused = (rebilly.post(line.number) for _ in range(3))

    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Retry-After")
    assert [first.headers.get(name) for name in names] == ["2", "1", None]
    # The minute that began at 14:00:00 is over at 14:01:00.
    assert [second.headers.get(name) for name in names] == ["2", "0", "1784556060"]
    assert [refused.headers.get(name) for name in names] == ["2", "0", "1784556060"]
    assert (refused.status_code, refused.json()) == (
        429,
        problem(429, "Rate Limit Exceeded", "Too many requests. Try again in a moment."),
    )
    assert UsageRecord.objects.count() == 3


def test_a_page_of_an_allowed_site_may_call_as_the_vendors_client_does(rebilly, line):
    AllowedOrigin.objects.create(workspace=line.workspace, origin=SITE)
    asked = {
        "origin": SITE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,reb-api-consumer,reb-apikey",
    }

    preflight = Client().options(f"{MOUNT}/usages", headers=asked)
    reply = Client().get(f"{MOUNT}/usages", headers={**rebilly.headers, "origin": SITE})

    allowed = set(preflight.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert preflight.headers["Access-Control-Allow-Origin"] == reply.headers["Access-Control-Allow-Origin"] == SITE
    assert {"content-type", "reb-api-consumer", "reb-apikey", "authorization"} <= allowed
    exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Location", "Pagination-Total", "Pagination-Limit", "Pagination-Offset"} <= exposed
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Retry-After"} <= exposed
