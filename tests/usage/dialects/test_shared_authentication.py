"""Who may ask, and about what: keys and workspaces, at each endpoint of each dialect."""

from typing import Any

import pytest
from django.urls import resolve

from billing.jsontext import encode
from billing.keys import revoke_key
from billing.models import ApiKey, Workspace
from tests import factories as make
from tests.usage.dialects.shared import assert_refused, nothing_changed, rows, served
from tests.usage.dialects.vendors import VENDORS, each_endpoint, each_path, each_read, each_with_foreign
from usage.models import UsageRecord
from usage.urls import urlpatterns

pytestmark = pytest.mark.django_db


def test_every_endpoint_of_every_dialect_is_in_the_suite():
    known = set()
    for vendor in VENDORS:
        world = vendor.world(vendor.name)
        for endpoint in vendor.endpoints:
            known.add((vendor.name, endpoint.method, resolve(world.path(endpoint)).route))

    assert set(served(urlpatterns)) == known


@each_endpoint
def test_each_endpoint_answers_its_own_workspace(vendor, endpoint):
    assert vendor.ask(endpoint, vendor.world()).status_code in (200, 201, 202, 204)


@each_path
def test_a_request_without_a_key_is_refused(vendor, endpoint):
    world = vendor.world()

    with nothing_changed():
        response = vendor.ask(endpoint, world, key=None)

    assert_refused(response, vendor, 401, "Authentication credentials were not provided.")
    assert response.headers["WWW-Authenticate"] == vendor.challenge


@each_path
def test_a_wrong_key_is_refused(vendor, endpoint):
    world = vendor.world()

    with nothing_changed():
        for wrong in ("ark_live_of_nobody_at_all", "ä\xff", "x" * 5000):
            response = vendor.ask(endpoint, world, key=wrong)

            assert_refused(response, vendor, 401, vendor.wrong_key)
            assert response.headers["WWW-Authenticate"] == vendor.challenge


@each_path
def test_a_revoked_key_is_refused_at_once(vendor, endpoint):
    world = vendor.world()
    vendor.send(world.key, "")
    revoke_key(key=ApiKey.objects.get(), as_of=make.moment("2026-07-20"))

    with nothing_changed():
        response = vendor.ask(endpoint, world)

    assert_refused(response, vendor, 401, vendor.wrong_key)


def of_workspace(code: str) -> dict[str, list[dict[str, Any]]]:
    owners = Workspace.objects.filter(code=code).values_list("pk", flat=True)
    return {name: [row for row in table if row.get("workspace_id") in owners] for name, table in rows().items()}


@each_endpoint
def test_another_workspaces_things_can_neither_be_seen_nor_changed(vendor, endpoint):
    ours, theirs = vendor.world(), vendor.world("other")
    before = of_workspace("other")

    response = vendor.ask(endpoint, ours, about=theirs.things)

    assert response.status_code in (vendor.refusals if endpoint.names_things else (200, 201))
    assert of_workspace("other") == before


@each_read
def test_what_is_read_is_the_same_whatever_other_workspaces_hold(vendor, endpoint):
    ours = vendor.world()
    alone = vendor.ask(endpoint, ours).content

    vendor.world("other")

    assert vendor.ask(endpoint, ours).content == alone


@each_with_foreign
def test_another_workspaces_ids_are_as_absent_as_any(vendor, line, key):
    theirs = make.line(make.workspace("other", next_line_number=1000))

    response = vendor.send(key, encode(vendor.report(theirs)))

    assert (response.status_code, response.json()) == vendor.foreign(theirs)
    assert UsageRecord.objects.count() == 0
