"""Whatever is sent to an API, it answers without a fault of ours and as its own API description says."""

import functools
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl

import pytest
import schemathesis
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from config.wsgi import application
from tests.schemas.examples import EXAMPLES
from tests.usage.dialects.piriod.vendor import VENDOR as PIRIOD
from tests.usage.dialects.vendor import Endpoint, Vendor, World
from tests.usage.dialects.vendors import endpoints_of
from usage.dialects import BY_NAME
from usage.dialects.pages import openapi
from usage.dialects.piriod import translate

pytestmark = [pytest.mark.django_db, pytest.mark.once]

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

(POST,) = (endpoint for endpoint in PIRIOD.endpoints if endpoint.method == "POST")
each_operation = endpoints_of(lambda vendor: [] if BY_NAME[vendor.name].speaks_graphql else vendor.endpoints)


def find(endpoint: Endpoint, world: World, description: dict[str, Any]) -> tuple[APIOperation, dict[str, str]]:
    """Return the description's operation of an endpoint, and the values of its path's parameters in the world."""
    path = world.path(endpoint)
    for template, item in description["paths"].items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(description["servers"][0]["url"] + template))
        match = re.fullmatch(f"{pattern}/?", path)
        if match and endpoint.method.lower() in item:
            return schemathesis.openapi.from_dict(description)[template][endpoint.method], match.groupdict()
    raise AssertionError(f"{endpoint} is in no description")


def with_known(case: Case, known: Mapping[str, Any], names: set[str]) -> Case:
    """Replace generated values by existing ones, so that some cases are about existing rows."""
    if isinstance(case.body, dict):
        case.body |= {name: known[name] for name in names & case.body.keys()}
    return case


def check_answers(vendor: Vendor, endpoint: Endpoint, description: dict[str, Any]) -> None:
    """Send valid and invalid requests of an operation; raise where an answer is a fault or not described."""
    world = vendor.world()
    operation, ids = find(endpoint, world, description)
    query = dict(parse_qsl(world.url(endpoint).partition("?")[2]))
    known = world.body(endpoint) or {}
    headers = vendor.headers(world.key, world.code)
    cases = st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE, path_parameters=ids, query=query or None),
        operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=ids),
        operation.as_strategy(GenerationMode.POSITIVE),
    )
    names = st.just(set(known)) | st.sets(st.sampled_from(sorted(known)) if known else st.nothing())

    @EXAMPLES
    @given(st.builds(with_known, cases, st.just(known), names))
    def answers(case: Case) -> None:
        with transaction.atomic():
            response = case.call(app=application, headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    answers()


@each_operation
def test_every_answer_is_described(vendor, endpoint):
    check_answers(vendor, endpoint, openapi(vendor.name))


@pytest.mark.parametrize(
    ("path", "wrong", "told"),
    [
        (("paths", "/usages/", "post", "responses", "400"), None, "Undocumented"),
        (("components", "schemas", "Usage", "properties", "id"), {"type": "string"}, "Response violates schema"),
    ],
)
def test_an_answer_that_is_not_described_is_reported(path, wrong, told):
    description = deepcopy(openapi("piriod"))
    *above, last = path
    part = functools.reduce(lambda found, name: found[name], above, description)
    del part[last]
    if wrong is not None:
        part[last] = wrong

    with pytest.raises(FailureGroup, match=told):
        check_answers(PIRIOD, POST, description)


def test_a_fault_of_ours_is_reported(monkeypatch):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(translate, "record_usage", fail)

    with pytest.raises(FailureGroup, match="Server error"):
        check_answers(PIRIOD, POST, openapi("piriod"))
