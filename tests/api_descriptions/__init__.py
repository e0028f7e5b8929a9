"""The API descriptions that vendors have published, one OpenAPI 3.1 file each, and a check of responses against them.

The descriptions are written from the vendors' facts, not from our code. Paths are relative to the mount in ``servers``.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_METHODS = ("get", "put", "post", "delete", "patch")
_NAME = re.compile(r"\{[^{}]+\}")
_BASE = "urn:api-description"

_formats = FormatChecker(formats=["uuid"])


@_formats.checks("date-time", raises=ValueError)
def _is_moment(text: Any) -> bool:
    return not isinstance(text, str) or ("T" in text and datetime.fromisoformat(text).tzinfo is not None)


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: what looks like a date is a text, and so is a status as a key."""

    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(part) for key, part in value.items()}
    return [_with_text_keys(part) for part in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    pattern: re.Pattern[str]
    pointer: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class APIDescription:
    """An OpenAPI 3.1 description that responses are checked against. Raises where it is itself invalid."""

    def __init__(self, name: str, content: Mapping[str, Any]) -> None:
        self.name = name
        self.content = _with_text_keys(content)
        validate_schema(self.content)
        self.registry = Registry().with_resource(_BASE, DRAFT202012.create_resource(self.content))
        self.mounts = [server["url"].rstrip("/") for server in self.content["servers"]]
        self.operations = list(self._operations())
        for where in _schemas(self.content):
            Draft202012Validator.check_schema(where)
        for reference in _references(self.content):
            self._at(reference)

    def check(self, response: Any) -> None:
        """Assert that a test client's response is described: its status, headers, content type and body."""
        request = response.request
        operation = self._operation(request["REQUEST_METHOD"], request["PATH_INFO"])
        pointer, documented = self._response(operation, response)
        about = f"{self.name}: {operation} answered {response.status_code}"
        for header, rule in documented.get("headers", {}).items():
            self._check_header(f"{about}, header {header}", header, self._resolved(rule), response)
        content = documented.get("content", {})
        if not content:
            assert response.content == b"", f"{about} with a body where none is documented: {response.content!r}"
            return
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        assert media_type in content, f"{about} as {media_type!r}; documented: {', '.join(content)}"
        if "schema" in content[media_type]:
            schema = {"$ref": f"{_BASE}{pointer}/content/{_escaped(media_type)}/schema"}
            self._check_value(about, schema, json.loads(response.content))

    def _operations(self) -> Iterator[_Operation]:
        for path, item in self.content["paths"].items():
            for method in item:
                if method in _METHODS:
                    # A path is served with its last slash and without it.
                    pattern = "|".join(_pattern(f"{mount}{path}".rstrip("/")) + "/?" for mount in self.mounts)
                    pointer = f"#/paths/{_escaped(path)}/{method}"
                    yield _Operation(method.upper(), path, re.compile(pattern), pointer)

    def _operation(self, method: str, path: str) -> _Operation:
        found = [
            operation
            for operation in self.operations
            if operation.method == method and operation.pattern.fullmatch(path)
        ]
        assert found, f"{self.name}: {method} {path} is not documented"
        # As OpenAPI has it, a path without names goes before one with them.
        return min(found, key=lambda operation: len(_NAME.findall(operation.path)))

    def _response(self, operation: _Operation, response: Any) -> tuple[str, Any]:
        responses = self._at(operation.pointer)["responses"]
        status = str(response.status_code)
        for name in (status, f"{status[0]}XX", "default"):
            if name in responses:
                pointer = f"{operation.pointer}/responses/{name}"
                pointer = responses[name].get("$ref", pointer)
                return pointer, self._at(pointer)
        known = ", ".join(responses)
        raise AssertionError(f"{self.name}: {operation} answered {status}; documented: {known}\n{response.content!r}")

    def _check_header(self, about: str, header: str, rule: Mapping[str, Any], response: Any) -> None:
        value: Any = response.headers.get(header)
        if value is None:
            assert not rule.get("required"), f"{about}: is missing"
            return
        schema = rule.get("schema", {})
        if self._resolved(schema).get("type") in ("integer", "number"):
            value = json.loads(value)
        self._check_value(about, schema, value)

    def _check_value(self, about: str, schema: Mapping[str, Any], value: Any) -> None:
        absolute = {"$ref": f"{_BASE}{schema['$ref']}"} if schema.get("$ref", "").startswith("#") else schema
        validator = Draft202012Validator(absolute, registry=self.registry, format_checker=_formats)
        wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not wrong, "\n".join([about, *wrong, json.dumps(value, indent=2)])

    def _resolved(self, value: Any) -> Any:
        return self._at(value["$ref"]) if "$ref" in value else value

    def _at(self, pointer: str) -> Any:
        return self.registry.resolver(_BASE).lookup(pointer).contents


def _pattern(template: str) -> str:
    names = iter(_NAME.findall(template))
    literal = [re.escape(part) for part in _NAME.split(template)]
    return literal[0] + "".join(f"[^/]+{part}" for _, part in zip(names, literal[1:], strict=True))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _parts(value: Any) -> Iterator[Any]:
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(part)


def _references(content: Any) -> Iterator[str]:
    for part in _parts(content):
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            yield part["$ref"]


def _schemas(content: Any) -> Iterator[Any]:
    for part in _parts(content):
        if isinstance(part, dict) and isinstance(part.get("schema"), dict):
            yield part["schema"]
    yield from content.get("components", {}).get("schemas", {}).values()


@functools.cache
def api_description(name: str) -> APIDescription:
    """Return the description in ``tests/api_descriptions/<name>.yaml``."""
    text = (Path(__file__).parent / f"{name}.yaml").read_text()
    return APIDescription(name, yaml.load(text, Loader=_Loader))
