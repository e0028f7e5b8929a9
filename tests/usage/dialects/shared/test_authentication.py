"""Keys and workspaces are checked at each endpoint of each dialect."""

import copy
import functools
import operator
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db.models import F
from django.urls import resolve

from billing.keys import revoke_key
from billing.models import ApiKey, Workspace
from billing.storage.jsontext import encode
from tests import factories as make
from tests.usage.dialects.shared.assertions import asked, assert_refused, nothing_changed, rows, served, undone
from tests.usage.dialects.vendor import Endpoint, World
from tests.usage.dialects.vendors import VENDORS, each_vendor, each_with_foreign, each_with_reads
from usage.dialects.urls import urlpatterns
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_every_endpoint_of_every_dialect_is_in_the_suite():
    known = set()
    for vendor in VENDORS:
        world = vendor.world(vendor.name)
        for endpoint in vendor.endpoints:
            known.add((vendor.name, endpoint.method, resolve(world.path(endpoint)).route))

    assert set(served(urlpatterns)) == known


@each_vendor
def test_each_endpoint_answers_its_own_workspace(vendor):
    world = vendor.world()

    for endpoint in vendor.endpoints:
        with undone():
            response = vendor.ask(endpoint, world)
            assert response.status_code in (200, 201, 202, 204), asked(response)


@each_vendor
def test_a_request_without_a_key_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.paths:
            response = vendor.ask(endpoint, world, key=None)

            assert_refused(response, vendor, 401, "Authentication credentials were not provided.")
            assert response.headers["WWW-Authenticate"] == vendor.challenge


@each_vendor
def test_a_wrong_key_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.paths:
            for wrong in ("ark_live_of_nobody_at_all", "ä\xff", "x" * 5000):
                response = vendor.ask(endpoint, world, key=wrong)

                assert_refused(response, vendor, 401, vendor.wrong_key)
                assert response.headers["WWW-Authenticate"] == vendor.challenge


@each_vendor
def test_a_revoked_key_is_refused_at_once(vendor):
    world = vendor.world()

    for endpoint in vendor.paths:
        with undone():
            vendor.send(world.key, "")
            revoke_key(key=ApiKey.objects.get(), as_of=make.moment("2026-07-20"), actor=make.ACTOR)

            with nothing_changed():
                response = vendor.ask(endpoint, world)

        assert_refused(response, vendor, 401, vendor.wrong_key)


def of_workspace(code: str) -> dict[str, list[dict[str, Any]]]:
    owners = Workspace.objects.filter(code=code).values_list("pk", flat=True)
    return {name: [row for row in table if row.get("workspace_id") in owners] for name, table in rows().items()}


@each_vendor
def test_another_workspaces_things_can_neither_be_seen_nor_changed(vendor):
    ours, theirs = vendor.world(), vendor.world("other")
    before = of_workspace("other")

    for endpoint in vendor.endpoints:
        with undone():
            response = vendor.ask(endpoint, ours, about=theirs.things)

            assert response.status_code in (vendor.refusals if endpoint.names_things else (200, 201)), asked(response)
            assert of_workspace("other") == before, asked(response)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Give each scalar of a body with its place."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if parts is None:
        yield at, value
    for name, part in parts or ():
        yield from leaves(part, (*at, name))


def with_leaf(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    inner = functools.reduce(operator.getitem, at[:-1], changed)
    inner[at[-1]] = value
    return changed


def mixed(endpoint: Endpoint, ours: World, theirs: World) -> Iterator[tuple[str, Any]]:
    """Give our request with one piece of its path, or one scalar of its body, as another workspace's request has it."""
    path, body = ours.url(endpoint), ours.body(endpoint)
    for n, (mine, other) in enumerate(zip(path.split("/"), ours.url(endpoint, theirs.things).split("/"), strict=True)):
        if mine != other:
            pieces = path.split("/")
            yield "/".join([*pieces[:n], other, *pieces[n + 1 :]]), body
    for at, other in leaves(ours.body(endpoint, theirs.things)):
        if dict(leaves(body)).get(at) != other:
            yield path, with_leaf(body, at, other)


def references_across() -> list[str]:
    """Return the foreign keys that lead from a workspace's row to another workspace's."""
    found = []
    for model in (one for app in ("billing", "usage") for one in apps.get_app_config(app).get_models()):
        owned = {field.name for field in model._meta.concrete_fields}
        for field in model._meta.concrete_fields:
            target = field.related_model
            if field.name == "workspace" or "workspace" not in owned or target is None:
                continue
            if any(one.name == "workspace" for one in target._meta.concrete_fields):
                across = model._base_manager.filter(**{f"{field.name}__isnull": False}).exclude(
                    **{f"{field.name}__workspace": F("workspace")}
                )
                found += [f"{model.__name__}.{field.name}"] * across.exists()
    return found


@each_vendor
def test_another_workspaces_things_can_not_be_mixed_with_own_ones(vendor):
    ours, theirs = vendor.world(), vendor.world("other")
    before = of_workspace("other")

    for endpoint in vendor.endpoints:
        with undone():
            for path, body in mixed(endpoint, ours, theirs):
                sent = b"" if body is None else encode(body)
                answer = vendor.send(ours.key, sent, method=endpoint.method, path=path, workspace=ours.code)

                assert answer.status_code < 500, (path, body)
                assert of_workspace("other") == before, (path, body)
                assert references_across() == [], (path, body)
                if endpoint.method == "GET" and path.partition("?")[0] != ours.path(endpoint):
                    assert answer.status_code in vendor.refusals, path


@each_with_reads
def test_what_is_read_is_the_same_whatever_other_workspaces_hold(vendor):
    ours = vendor.world()
    alone = {str(endpoint): vendor.ask(endpoint, ours).content for endpoint in vendor.reads}

    vendor.world("other")

    assert {str(endpoint): vendor.ask(endpoint, ours).content for endpoint in vendor.reads} == alone


@each_with_foreign
def test_another_workspaces_ids_are_as_absent_as_any(vendor, line, key):
    theirs = make.line(make.workspace("other", next_line_number=1000))

    response = vendor.send(key, encode(vendor.report(theirs)))

    assert (response.status_code, response.json()) == vendor.foreign(theirs)
    assert UsageRecord.objects.count() == 0
