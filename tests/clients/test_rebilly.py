"""Rebilly's own JavaScript client, unchanged except for its addresses."""

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.clients import npm
from tests.scenarios.closing import close_and_issue
from usage.models import UsageRecord

pytestmark = [pytest.mark.once, pytest.mark.node, pytest.mark.django_db(transaction=True)]

FOLDER = Path(__file__).parent / "rebilly"


@pytest.fixture(scope="module", autouse=True)
def _client():
    npm.install(FOLDER)


@pytest.fixture
def line():
    line = make.line()
    line.reference = "sub_01HRF27SATGE4Z6PBJE6PD8328"
    line.save(update_fields=["reference"])
    return line


@pytest.fixture
def run(live_server, line):
    """Run calls of the client, each a method and its options. Return their results."""
    key = make.api_key(line.workspace)

    def run(*calls: Any, **settings: Any) -> list[Any]:
        given = {"url": f"{live_server.url}/rebilly", "apiKey": key, "organizationId": "acme", "calls": calls}
        command = ["node", "calls.js", json.dumps(given | settings)]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)

    return run


def create(line, **fields):
    return "create", {"data": {"subscriptionId": line.reference, **fields}}


def test_it_reports_reads_and_deletes_usage(run, line):
    created, listed, none = run(
        create(line, quantity=5.125, usageTime="2026-01-10T08:00:00.000Z"),
        ("getAll", {}),
        ("getAll", {"filter": "subscriptionId:sub_other"}),
    )
    usage = created["fields"]
    by_id = {"id": usage["id"]}
    read, deleted, gone = run(("get", by_id), ("delete", by_id), ("get", by_id))

    assert created["status"] == 201
    assert (usage["subscriptionId"], usage["quantity"], usage["invoiceId"]) == (line.reference, 5.125, None)
    assert usage["usageTime"] == "2026-01-10T08:00:00Z"
    assert listed == {"items": [usage], "total": 1, "limit": 100, "offset": 0}
    assert none == {"items": [], "total": 0, "limit": 100, "offset": 0}
    assert read == {"status": 200, "fields": usage}
    assert deleted["status"] == 204
    assert (gone["name"], gone["status"], gone["message"]) == ("RebillyNotFoundError", 404, "Not found.")
    assert list(UsageRecord.objects.live()) == []


def test_it_filters_sorts_and_pages(run, line):
    for quantity, day in (("3", 1), ("1", 2), ("2", 3), ("9", 4)):
        make.use(line, quantity, f"2026-01-0{day}")
    asked = {"filter": f"subscriptionId:{line.reference};quantity:1..3;usageTime:..2026-01-03T00:00:00Z"}

    first, second = run(
        ("getAll", {**asked, "sort": ["-quantity", "id"], "limit": 2}),
        ("getAll", {**asked, "sort": "-quantity", "limit": 2, "offset": 2}),
    )

    assert [item["quantity"] for item in first["items"]] == [3, 2]
    assert [item["quantity"] for item in second["items"]] == [1]
    assert [(page["total"], page["limit"], page["offset"]) for page in (first, second)] == [(3, 2, 0), (3, 2, 2)]


def test_it_tells_what_is_invalid(run, line):
    invalid, unreadable = run(create(line, quantity=0.0001), ("getAll", {"filter": "price:1"}))

    assert (invalid["name"], invalid["status"]) == ("RebillyValidationError", 422)
    assert [problem["field"] for problem in invalid["invalidFields"]] == ["quantity"]
    assert (unreadable["name"], unreadable["status"]) == ("RebillyRequestError", 400)
    assert [problem["field"] for problem in unreadable["invalidFields"]] == ["filter"]
    assert UsageRecord.objects.count() == 0


def test_it_tells_a_limit_and_takes_the_part_that_is_left(run, line):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)

    taken, refused, part, full = run(
        create(line, quantity=7, usageTime="2026-01-10T08:00:00Z"),
        create(line, quantity=7, usageTime="2026-01-10T08:00:00Z"),
        create(line, quantity=7, usageTime="2026-01-10T08:00:00Z", acceptPartialQuantity=True),
        create(line, quantity=7, usageTime="2026-01-10T08:00:00Z", acceptPartialQuantity=True),
    )

    assert [taken["fields"]["quantity"], part["fields"]["quantity"]] == [7, 3]
    assert (refused["name"], refused["status"]) == ("RebillyConflictError", 409)
    assert refused["message"] == "The limit of this line leaves 3 in the period."
    assert (full["name"], full["message"]) == (
        "RebillyConflictError",
        "The limit of this line leaves 0 in the period.",
    )


def test_it_tells_that_invoiced_usage_stays(run, line):
    (created,) = run(create(line, quantity=7, usageTime="2026-01-10T08:00:00Z"))
    close_and_issue(line.workspace, "2026-02-01")
    by_id = {"id": created["fields"]["id"]}

    read, refused = run(("get", by_id), ("delete", by_id))

    assert read["fields"]["invoiceId"].startswith("in_")
    assert read["fields"]["invoiceItemId"].startswith("ii_")
    assert (refused["name"], refused["status"]) == ("RebillyConflictError", 409)
    assert refused["message"] == "This usage is on an issued invoice."


def test_it_tells_a_wrong_key_and_a_wrong_organization(run, line):
    (nobody,) = run(("getAll", {}), apiKey="sk_sandbox_nobody")
    (elsewhere,) = run(("getAll", {}), organizationId="other")

    assert (nobody["name"], nobody["status"]) == ("RebillyForbiddenError", 401)
    assert (elsewhere["name"], elsewhere["status"]) == ("RebillyRequestError", 403)
