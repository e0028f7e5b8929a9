"""Salesbricks v1: introspection, and the bounds of a request."""

from typing import Any

import pytest
from django.test import Client
from graphql import build_client_schema, get_introspection_query, print_schema

from tests import factories as make
from tests.usage.dialects.clients import ServiceClient
from usage.dialects.salesbricks_v1 import operations
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

# The vendor's reference, word for word.
FIELDS = {
    "Mutation": {
        "incrementCounter": (
            "IncrementCounterResponse!",
            {"timestamp": "DateTime!", "subscriptionId": "String!", "brickId": "String!", "count": "Int!"},
        ),
        "setGauge": (
            "SetGaugeResponse!",
            {"timestamp": "DateTime!", "subscriptionId": "String!", "brickId": "String!", "value": "Int!"},
        ),
    },
    "IncrementCounterResponse": {"success": ("Boolean!", {})},
    "SetGaugeResponse": {"success": ("Boolean!", {})},
    # Ours: GraphQL has no schema without one.
    "Query": {"apiVersion": ("String!", {})},
}
WHOLE = get_introspection_query(
    specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
)


@pytest.fixture
def ask():
    client = ServiceClient("/salesbricks/api/v1/", {"x-salesbricks-key": make.api_key(make.workspace())})
    return lambda query, **members: client("POST", "usage", {"query": query, **members})


def written(kind: dict[str, Any]) -> str:
    """Return a type as the language writes it."""
    if kind["kind"] == "NON_NULL":
        return f"{written(kind['ofType'])}!"
    return f"[{written(kind['ofType'])}]" if kind["kind"] == "LIST" else kind["name"]


def test_introspection_tells_the_vendors_types(ask):
    response = ask(get_introspection_query(), operationName="IntrospectionQuery", variables={})

    schema = response.json()["data"]["__schema"]
    own = {kind["name"]: kind for kind in schema["types"] if not kind["name"].startswith("__")}
    found = {
        name: {
            field["name"]: (written(field["type"]), {arg["name"]: written(arg["type"]) for arg in field["args"]})
            for field in kind["fields"]
        }
        for name, kind in own.items()
        if kind["kind"] == "OBJECT"
    }
    assert response.status_code == 200
    assert found == FIELDS
    assert {name for name, kind in own.items() if kind["kind"] == "SCALAR"} == {
        "DateTime",
        "String",
        "Int",
        "Boolean",
    }
    assert (schema["queryType"], schema["mutationType"], schema["subscriptionType"]) == (
        {"name": "Query"},
        {"name": "Mutation"},
        None,
    )


def test_the_published_document_is_what_introspection_tells(ask):
    schema = Client().get("/docs/salesbricks_v1/schema.graphql").content.decode()

    assert print_schema(build_client_schema(ask(WHOLE).json()["data"])) == schema.strip()


def test_introspection_needs_a_key():
    response = Client().post("/salesbricks/api/v1/usage", {"query": "{ apiVersion }"}, content_type="application/json")

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("query", "message", "line", "column"),
    [
        ("", "Syntax Error: Unexpected <EOF>.", 1, 1),
        ("mutation {", "Syntax Error: Expected Name, found <EOF>.", 1, 11),
        ("{ apiVersion\n  version }", "Cannot query field 'version' on type 'Query'. Did you mean 'apiVersion'?", 2, 3),
        ("subscription { apiVersion }", "Schema is not configured to execute subscription operation.", 1, 1),
        ("{ ...a } fragment a on Query { ...a }", "Cannot spread fragment 'a' within itself.", 1, 32),
        ("type Query { a: Int }", "The 'Query' definition is not executable.", 1, 1),
    ],
)
def test_what_is_no_query_of_the_schema_is_refused_where_it_stands(ask, query, message, line, column):
    response = ask(query)

    (error, *_) = response.json()["errors"]
    assert response.status_code == 400
    assert "data" not in response.json()
    assert (error["message"], error["locations"][0]) == (message, {"line": line, "column": column})


def spread_out(levels: int) -> str:
    """Return a small query that is large once its fragments are written out: each has the next one twice."""
    fragments = (f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels))
    return f"{{ ...f0 }} {' '.join(fragments)} fragment f{levels} on Query {{ apiVersion }}"


def nested(levels: int) -> str:
    return "{ __schema { types " + "{ ofType " * (levels - 3) + "{ name }" + " }" * (levels - 1)


@pytest.mark.bound(
    "characters of a GraphQL query",
    "tokens of a GraphQL query",
    "levels of a GraphQL query",
    "fields of a GraphQL query, its fragments written out",
    "fields at the root of a GraphQL query",
)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("#" + "x" * operations.MAX_CHARACTERS, "A query has at most 32768 characters."),
        ("{ " + "apiVersion " * 999 + "}", "Syntax Error: Document contains more than 1000 tokens. Parsing aborted."),
        ("{ " + "apiVersion " * 301 + "}", "A query has at most 300 fields, with fragments expanded."),
        ("{ " + " ".join(f"a{n}: apiVersion" for n in range(26)) + " }", "A query has at most 25 root fields."),
        (nested(21), "A query has at most 20 levels."),
        (spread_out(30), "A query has at most 300 fields, with fragments expanded."),
        (
            "{ __schema { types { " + "fields { type { " * 3 + "name" + " } }" * 3 + " } } }",
            "Maximum introspection depth exceeded",
        ),
    ],
    ids=["characters", "tokens", "fields", "aliases", "levels", "fragments", "introspection"],
)
def test_a_query_is_bounded(ask, query, message):
    response = ask(query)

    assert response.status_code == 400
    assert [error["message"] for error in response.json()["errors"]] == [message]


@pytest.mark.parametrize(
    "query",
    [
        "{ apiVersion }".ljust(operations.MAX_CHARACTERS),
        "{ __schema { types { " + "name @include(if: true) " * 124 + "} } }",
        "{ __schema { types { " + "name " * 298 + "} } }",
        "{ " + " ".join(f"a{n}: apiVersion" for n in range(25)) + " }",
        nested(20),
    ],
    ids=["characters", "tokens", "fields", "aliases", "levels"],
)
def test_a_query_at_its_bounds_is_answered(ask, query):
    response = ask(query)

    assert response.status_code == 200
    assert "errors" not in response.json()


@pytest.mark.parametrize("query", ["{a" * 490, "{ apiVersion @include(if: " + "[" * 900], ids=["fields", "lists"])
def test_a_query_nested_beyond_reading_is_refused(ask, query):
    response = ask(query)

    assert response.status_code == 400
    assert len(response.json()["errors"]) == 1


def test_only_so_many_errors_are_told(ask):
    response = ask("{ " + " ".join(f"a{n}" for n in range(25)) + " }")

    messages = [error["message"] for error in response.json()["errors"]]
    assert response.status_code == 400
    assert len(messages) == operations.MAX_ERRORS + 1
    assert messages[-1] == "Too many validation errors, error limit reached. Validation aborted."


def test_as_many_mutations_as_are_allowed_are_taken_at_once(ask):
    line = make.line(make.workspace("other"))
    client = ServiceClient("/salesbricks/api/v1/", {"x-salesbricks-key": make.api_key(line.workspace)})
    mutation = (
        f'incrementCounter(timestamp: "2026-07-16T10:15:30Z", subscriptionId: "{line.subscription_id}",'
        f' brickId: "{line.brick_id}", count: 1) {{ success }}'
    )
    query = "mutation { " + " ".join(f"a{n}: {mutation}" for n in range(operations.MAX_ROOTS)) + " }"

    assert client("POST", "usage", {"query": query}).status_code == 200
    assert UsageRecord.objects.count() == operations.MAX_ROOTS


def test_a_query_is_read_once(ask, monkeypatch):
    query = "query ReadOnce { apiVersion }"
    ask(query)
    monkeypatch.setattr(operations, "parse", None)

    assert ask(query).json() == {"data": {"apiVersion": "v1"}}


@pytest.mark.parametrize(
    "query",
    [
        '{ apiVersion @include(if: "\\ud800") }',
        'mutation { setGauge(timestamp: "\\ud800", subscriptionId: "\\u0000", brickId: "", value: 1) { success } }',
        'mutation { setGauge(timestamp: """\n""", subscriptionId: "", brickId: "", value: -0) { success } }',
        "query ($a: Int = 9999999999999999999999) { apiVersion @skip(if: $a) }",
        "query ($a: [Query!]) { apiVersion }",
        "{ __type(name: 7) { name } }",
        '{ __type(name: "\\u0000") { name } }',
        "mutation ($v: Int = 1) { setGauge(timestamp: $v, subscriptionId: $v, brickId: $v, value: $v) { success } }",
        "mutation { setGauge }",
        "mutation { __typename }",
        "{ __schema { directives { args { defaultValue } } } }",
        "fragment a on Query { apiVersion }",
        "\ufeff{ apiVersion }",
        "{ apiVersion { a } }",
        "{ apiVersion(a: 1) }",
        "{ " + "a" * 30_000 + " }",
        '{ __type(name: "' + "\\u{10FFFF}" * 2000 + '") { name } }',
        '{ __type(name: "\\u{D800}") { name } }',
    ],
    ids=lambda query: query[:40],
)
@pytest.mark.parametrize("variables", [None, {"v": None, "a": [[["x"]]]}, {"v": "\ue000", "a": 10**400}])
def test_no_query_is_a_fault_of_ours(ask, query, variables):
    response = ask(query, variables=variables)

    assert response.status_code in (200, 400)
    assert response.headers["Content-Type"] == "application/json"
