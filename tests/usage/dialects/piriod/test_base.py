"""Piriod: headers, workspaces and test mode, and what is not served."""

import pytest

from tests import factories as make
from tests.usage.dialects.clients import ServiceClient
from tests.usage.dialects.piriod.client import Piriod, ids
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"x-simple-workspace": ""}, 400, {"non_field_errors": ["x-simple-workspace header is required."]}),
        ({"x-simple-workspace": "acc_other"}, 403, {"detail": "You do not have permission to perform this action."}),
        (
            {"x-piriod-test-mode": "yes"},
            400,
            {"non_field_errors": ["x-piriod-test-mode header must be true or false."]},
        ),
        # An error of the key is told before any of the workspace.
        (
            {"x-simple-workspace": "", "authorization": ""},
            401,
            {"detail": "Authentication credentials were not provided."},
        ),
        ({"x-simple-workspace": "", "authorization": "Token x"}, 401, {"detail": "Invalid token."}),
        ({"authorization": "Bearer x"}, 401, {"detail": "Authentication credentials were not provided."}),
        ({"authorization": "Token"}, 401, {"detail": "Invalid token."}),
    ],
)
def test_headers_are_checked_in_order(piriod, method, headers, status, body):
    make.workspace("acc_other")
    piriod.headers |= headers

    response = piriod(method, "usages/")

    assert (response.status_code, response.json()) == (status, body)
    assert response.headers.get("WWW-Authenticate") == ("Token" if status == 401 else None)


def test_test_mode_leads_to_the_twin_alone(piriod, line):
    twin = make.line(line.workspace.twin)
    key = piriod.headers["authorization"].removeprefix("Token ")
    testing = Piriod(key, test_mode="true")

    recorded = testing.post(twin.number)

    assert recorded.status_code == 201
    assert UsageRecord.objects.get().workspace == line.workspace.twin
    assert ids(testing("GET", "usages/")) == [recorded.json()["id"]]
    assert ids(piriod("GET", "usages/")) == []
    assert ids(Piriod(key, test_mode="False")("GET", "usages/")) == []
    second = make.line(line.workspace).number
    assert testing.post(second).json() == {"subscription_line": [f'Invalid pk "{second}" - object does not exist.']}
    assert piriod("GET", f"usages/{recorded.json()['id']}/").status_code == 404
    assert piriod("DELETE", f"usages/{recorded.json()['id']}/").status_code == 404
    assert testing("DELETE", f"usages/{recorded.json()['id']}/").status_code == 204


@pytest.mark.parametrize(("test_mode", "status"), [("true", 200), ("false", 403), (None, 403)])
def test_a_key_of_the_twin_needs_test_mode(line, test_mode, status):
    key = make.api_key(line.workspace.twin)

    assert Piriod(key, test_mode=test_mode)("GET", "usages/").status_code == status


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "1/"), ("PATCH", "1/"), ("POST", "1/"), ("PUT", ""), ("DELETE", ""), ("OPTIONS", "")],
)
def test_other_methods_are_not_allowed(piriod, method, path):
    response = piriod(method, f"usages/{path}", {})

    assert (response.status_code, response.json()) == (405, {"detail": f'Method "{method}" not allowed.'})


def test_a_path_that_is_not_served_is_not_found(piriod):
    client = ServiceClient(piriod.mount, piriod.headers)
    for path in ("", "invoices/", "usages/1/lines/"):
        response = client("POST", path)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


def test_usage_of_other_workspaces_is_not_to_be_seen(piriod, line):
    other = make.line(make.workspace("other"))
    theirs = make.use(other, "1", "2026-07-01").id

    assert ids(piriod("GET", "usages/")) == []
    for method in ("GET", "DELETE"):
        assert piriod(method, f"usages/{theirs}/").status_code == 404
    assert UsageRecord.objects.live().count() == 1
