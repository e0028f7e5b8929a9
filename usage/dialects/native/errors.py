"""Errors as problem details (RFC 9457), each with the path of the invalid member, such as ``lines.0.price``."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError
from rest_framework import exceptions, serializers, status
from rest_framework.settings import api_settings

from billing.rating import TermsError
from usage.dialects.shared.errors import ErrorStyle, Problem
from usage.ledger import DuplicateKey, RecordNotFound, UnableToRecord

MEDIA_TYPE = "application/problem+json"
INVALID = "The input is invalid."
TAKEN = "A value is already in use."
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
# Django's codes for a value that another row already has.
_TAKEN_CODES = {"unique", "unique_together"}
# PostgreSQL's code for this.
_UNIQUE_VIOLATION = "23505"
_LEDGER_STATUSES: dict[type[UnableToRecord], int] = {
    RecordNotFound: status.HTTP_404_NOT_FOUND,
    DuplicateKey: status.HTTP_409_CONFLICT,
}


def body(problem: Problem) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[problem.status],
        "status": problem.status,
        "detail": problem.message,
    }
    if problem.fields:
        told["errors"] = [
            {"field": name, "message": message} for name, messages in problem.fields.items() for message in messages
        ]
    return told


class WrongSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="The path of the invalid member, such as lines.0.price.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = WrongSerializer(many=True, required=False)  # type: ignore[assignment]  # a field, not the property


# Clients use the ledger's names of fields.
STYLE = ErrorStyle(body=body, fields={}, shape=ProblemSerializer)


def refused(error: UnableToRecord) -> Problem:
    """Return a refusal of the ledger as a problem. A 404 names no field, since the id is in the path."""
    code = _LEDGER_STATUSES.get(type(error), status.HTTP_422_UNPROCESSABLE_ENTITY)
    named = error.field if code != status.HTTP_404_NOT_FOUND else None
    return Problem(code, INVALID if named else error.message, {named: [error.message]} if named else {})


def invalid(error: exceptions.ValidationError) -> Problem:
    """Return the errors of a serializer as a problem, nested ones with their path."""
    return _told(status.HTTP_422_UNPROCESSABLE_ENTITY, INVALID, _paths(error.detail))


def disagreed(error: ValidationError, *, paths: Mapping[str, str]) -> Problem:
    """Return the errors of the domain as a problem: a conflict if a value is in use, otherwise invalid input.

    ``paths`` maps fields to their paths in requests if they differ.
    """
    by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    found = [(_path(name, one, paths), one) for name, errors in by_field.items() for one in errors]
    is_taken = any(one.code in _TAKEN_CODES for _, one in found)
    code, message = (409, TAKEN) if is_taken else (422, INVALID)
    return _told(code, message, ((path, text) for path, one in found for text in one.messages))


def unpriced(error: TermsError) -> Problem:
    """Return the error of terms that can't be rated as a problem."""
    return Problem(status.HTTP_422_UNPROCESSABLE_ENTITY, INVALID, {_dotted(error.field): [error.problem]})


def is_taken(error: IntegrityError) -> bool:
    """Tell whether a unique index refused a row because a concurrent request was faster than the check before."""
    return getattr(error.__cause__, "sqlstate", None) == _UNIQUE_VIOLATION


def _path(name: str, error: ValidationError, paths: Mapping[str, str]) -> str:
    """Return the path of an error; for a constraint over several fields, that of the field beside the workspace."""
    head, _, last = _dotted(name).rpartition(".")
    if last == NON_FIELD_ERRORS:
        last = next((of for of in (error.params or {}).get("unique_check", ()) if of != "workspace"), "")
    return ".".join(filter(None, (head, paths.get(last, last))))


def _dotted(name: str) -> str:
    return name.replace("[", ".").replace("]", "")


def _paths(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, part in detail.items():
            deeper = path if name == api_settings.NON_FIELD_ERRORS_KEY else f"{path}.{name}".lstrip(".")
            yield from _paths(part, deeper)
    elif isinstance(detail, list):
        for place, part in enumerate(detail):
            yield from _paths(part, path if isinstance(part, str) else f"{path}.{place}")
    else:
        yield path, str(detail)


def _told(code: int, message: str, found: Any) -> Problem:
    fields: dict[str, list[str]] = {}
    for path, text in found:
        fields.setdefault(path, []).append(text)
    general = fields.pop("", [])
    return Problem(code, " ".join(general) or message, fields)
