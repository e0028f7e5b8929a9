"""The API pages: complete and valid descriptions, served without log-in and without files from other hosts."""

import json
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.contrib.staticfiles import finders
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from graphql import build_schema

from tests.api_descriptions import api_description
from tests.usage.dialects.shared.assertions import served
from usage.dialects import BY_NAME
from usage.dialects.pages import openapi
from usage.dialects.shared.openapi import describe
from usage.dialects.urls import urlpatterns

pytestmark = pytest.mark.once

OPENAPI = [name for name, dialect in BY_NAME.items() if not dialect.speaks_graphql]
GRAPHQL = [name for name, dialect in BY_NAME.items() if dialect.speaks_graphql]
PUBLISHED = sorted(path.stem for path in Path(__file__).parents[2].joinpath("api_descriptions").glob("*.yaml"))
METHODS = ("get", "post", "put", "patch", "delete")

each_openapi = pytest.mark.parametrize("name", OPENAPI)


def operations(description):
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def test_every_dialect_has_a_description():
    assert {dialect for dialect, _, _ in served(urlpatterns)} == set(OPENAPI + GRAPHQL)


@each_openapi
def test_a_description_is_generated_without_a_guess(name):
    validate_schema(describe(BY_NAME[name].urls.urlpatterns, title=name, servers=["/"]))

    assert [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache] == []


@each_openapi
def test_a_description_has_every_endpoint(client, name):
    description = client.get(f"/docs/{name}/openapi.json").json()

    endpoints = {(method, route) for dialect, method, route in served(urlpatterns) if dialect == name}
    assert len(list(operations(description))) == len(endpoints)


def schemas_within(value):
    """Return every object of a description that has a type."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str | list):
            yield value
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from schemas_within(part)


@each_openapi
def test_a_description_has_the_items_of_each_array(client, name):
    """Generators of clients leave out arrays without items, and every operation with them."""
    description = client.get(f"/docs/{name}/openapi.json").json()

    arrays = [schema for schema in schemas_within(description) if "array" in schema["type"]]
    assert [schema for schema in arrays if "items" not in schema] == []


def successes(description):
    """Return path, method and status of each operation that can succeed, without the path's names and last slash."""
    return {
        (re.sub(r"{\w+}", "{}", path).rstrip("/"), method, status)
        for path, method, operation in operations(description)
        for status in operation["responses"]
        if status.isdigit() and min(operation["responses"]) < "300"
    }


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name in OPENAPI])
def test_a_description_has_what_the_vendor_has_published(name):
    published = successes(api_description(name).content)

    assert published
    assert published - successes(openapi(name)) == set()


@each_openapi
def test_every_operation_has_a_name_of_its_own_a_key_and_its_errors(client, name):
    description = client.get(f"/docs/{name}/openapi.json").json()

    found = list(operations(description))
    names = [operation["operationId"] for _, _, operation in found]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]+", one) for one in names), names
    for path, method, operation in found:
        about = f"{method} {path}"
        assert operation["security"], about
        assert {"401", "429", "500", "503"} <= operation["responses"].keys(), about
        assert any(status.startswith("2") for status in operation["responses"]), about
        if method in ("post", "put", "patch") and "requestBody" in operation:
            assert {"411", "413", "415"} <= operation["responses"].keys(), about


@each_openapi
def test_a_description_has_the_address_that_it_was_requested_at(client, name):
    description = client.get(f"/docs/{name}/openapi.json").json()

    dialect = BY_NAME[name]
    assert description["info"]["title"] == dialect.title
    assert description["servers"] == [{"url": f"http://testserver/{dialect.vendor}/{dialect.below}".rstrip("/")}]


def test_a_description_has_the_vendors_own_host_first(client, settings):
    settings.DIALECT_HOSTS = {"piriod.example.com": "piriod", "elsewhere.example.com": "salesbricks"}

    servers = client.get("/docs/piriod/openapi.json", headers={"host": "localhost:8000"}).json()["servers"]

    assert servers == [{"url": "http://piriod.example.com:8000"}, {"url": "http://localhost:8000/piriod"}]


@each_openapi
def test_yaml_says_the_same(client, name):
    response = client.get(f"/docs/{name}/openapi.yaml")

    assert response.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(response.content) == client.get(f"/docs/{name}/openapi.json").json()


@pytest.mark.parametrize("name", GRAPHQL)
def test_graphql_is_described_by_its_schema(client, name):
    response = client.get(f"/docs/{name}/schema.graphql")

    assert response.headers["Content-Type"] == "application/graphql"
    assert build_schema(response.content.decode()).mutation_type is not None


def test_the_index_leads_to_every_description(client):
    html = client.get("/docs/").content.decode()

    for name in OPENAPI:
        for page in ("", "openapi.json", "openapi.yaml"):
            assert f'href="/docs/{name}/{page}"' in html
    for name in GRAPHQL:
        assert f'href="/docs/{name}/schema.graphql"' in html


@each_openapi
def test_a_page_shows_the_description_with_files_of_its_own(client, name):
    html = client.get(f"/docs/{name}/").content.decode()

    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', html)
    assert f'data-url="/docs/{name}/openapi.json"' in html
    assert "//" not in "".join(re.findall(r'(?:src|href)="([^"]+)"', html))
    assert [file for file in files if not finders.find(file.removeprefix(settings.STATIC_URL))] == []


@pytest.mark.parametrize("path", ["elsewhere/", "elsewhere/openapi.json", "piriod/schema.graphql"])
def test_there_is_no_description_of_what_is_not_served(client, path):
    assert client.get(f"/docs/{path}").status_code == 404


def test_a_description_is_only_read(client):
    assert client.post("/docs/piriod/openapi.json", json.dumps({}), content_type="application/json").status_code == 405
