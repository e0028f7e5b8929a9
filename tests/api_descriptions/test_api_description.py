"""The check itself reports, by name, each way in which a response can differ from its API description."""

from copy import deepcopy
from typing import Any

import pytest
from django.http import HttpResponse
from jsonschema import SchemaError, ValidationError
from referencing.exceptions import Unresolvable

from tests.api_descriptions import APIDescription

pytestmark = pytest.mark.once

MEASURES = {
    "openapi": "3.1.0",
    "info": {"title": "Measures", "version": "1"},
    "servers": [{"url": "/measures/{organization}"}],
    "paths": {
        "/levels": {
            "post": {
                "responses": {
                    201: {
                        "description": "Taken",
                        "headers": {
                            "Location": {"required": True, "schema": {"type": "string"}},
                            "Left": {"schema": {"type": "integer"}},
                        },
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Level"}}},
                    },
                    "4XX": {"$ref": "#/components/responses/Refused"},
                }
            },
        },
        "/levels/{id}": {
            "delete": {"responses": {204: {"description": "Gone"}}},
            "get": {"responses": {200: {"description": "One", "content": {"application/json": {}}}}},
        },
        "/levels/newest": {"get": {"responses": {204: {"description": "None yet"}}}},
    },
    "components": {
        "schemas": {
            "Level": {
                "type": "object",
                "required": ["id", "height"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "height": {"type": "number"},
                    "at": {"type": "string", "format": "date-time"},
                },
            }
        },
        "responses": {
            "Refused": {
                "description": "Not taken",
                "content": {
                    "application/json": {"schema": {"type": "object", "required": ["detail"], "properties": {}}}
                },
            }
        },
    },
}
LEVEL = '{"id": "11111111-1111-4111-8111-111111111111", "height": 2.5, "at": "2026-07-16T10:15:30Z"}'


def answer(method: str, path: str, status: int, body: str = "", **headers: str) -> Any:
    response: Any = HttpResponse(body, status=status, content_type="application/json; charset=utf-8", headers=headers)
    response.request = {"REQUEST_METHOD": method, "PATH_INFO": f"/measures/acme{path}"}
    return response


def objection(response: Any) -> str:
    with pytest.raises(AssertionError) as raised:
        APIDescription("measures", MEASURES).check(response)
    return str(raised.value)


@pytest.mark.parametrize(
    "response",
    [
        answer("POST", "/levels", 201, LEVEL, Location="/levels/1", Left="3"),
        answer("POST", "/levels", 201, LEVEL, Location="/levels/1"),
        answer("POST", "/levels", 422, '{"detail": "no"}'),
        answer("GET", "/levels/1", 200, "[]"),
        answer("GET", "/levels/newest", 204),
        answer("DELETE", "/levels/1", 204),
    ],
    ids=str,
)
def test_a_described_response_passes(response):
    APIDescription("measures", MEASURES).check(response)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer("GET", "/level", 200), "measures: GET /measures/acme/level is not documented"),
        (answer("PUT", "/levels/1", 200), "PUT /measures/acme/levels/1 is not documented"),
        (answer("GET", "/levels/1/2", 200), "is not documented"),
        (answer("DELETE", "/levels/1", 404), "measures: DELETE /levels/{id} answered 404; documented: 204"),
        (answer("DELETE", "/levels/1", 204, "{}"), "with a body where none is documented: b'{}'"),
        (answer("POST", "/levels", 201, LEVEL), "header Location: is missing"),
        (
            answer("POST", "/levels", 201, LEVEL, Location="/", Left="1.5"),
            "header Left\n$: 1.5 is not of type 'integer'",
        ),
        (answer("POST", "/levels", 400, "{}"), "POST /levels answered 400\n$: 'detail' is a required property"),
        (
            answer("POST", "/levels", 201, LEVEL.replace("2.5", '"2.5"'), Location="/"),
            "$.height: '2.5' is not of type 'number'",
        ),
        (
            answer("POST", "/levels", 201, LEVEL.replace("30Z", "30"), Location="/"),
            "$.at: '2026-07-16T10:15:30' is not a 'date-time'",
        ),
        (answer("POST", "/levels", 201, LEVEL.replace("1111", "zzzz"), Location="/"), "is not a 'uuid'"),
    ],
    ids=str,
)
def test_a_response_that_is_not_described_is_reported(response, words):
    assert words in objection(response)


def test_another_content_type_is_reported():
    response = answer("GET", "/levels/1", 200, "[]")
    response.headers["Content-Type"] = "application/problem+json"

    assert "as 'application/problem+json'; documented: application/json" in objection(response)


def test_an_invalid_description_is_not_loaded():
    def changed(**parts: Any) -> dict[str, Any]:
        return deepcopy(MEASURES) | parts

    with pytest.raises(ValidationError):
        APIDescription("measures", changed(info={"title": "Measures"}))
    with pytest.raises(SchemaError):
        APIDescription(
            "measures", changed(components={**MEASURES["components"], "schemas": {"Level": {"type": "text"}}})
        )
    with pytest.raises(Unresolvable):
        APIDescription("measures", changed(components={"schemas": MEASURES["components"]["schemas"]}))
