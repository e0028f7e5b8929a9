"""Sequence's errors: a list with the field of each; a conflict also has a message."""

from typing import Any

from rest_framework import status

from usage.dialects.shared.errors import ErrorStyle, Problem

_MESSAGE = {"message": {"type": "string"}}
_LISTED = {"type": "object", "properties": {"field": {"type": "string"}, **_MESSAGE}, "required": ["message"]}
_ERRORS = {"errors": {"type": "array", "items": _LISTED}}


def body(problem: Problem) -> dict[str, Any]:
    named = [{"field": name, "message": message} for name, messages in problem.fields.items() for message in messages]
    if problem.status == status.HTTP_409_CONFLICT:
        # The vendor's conflict is a message with further members.
        return {"message": problem.message} | ({"errors": named} if named else {})
    return {"errors": named or [{"message": problem.message}]}


STYLE = ErrorStyle(
    body=body,
    fields={
        "customer_alias": "customerAlias",
        "event_type": "eventType",
        "key": "customerEventId",
        "occurred_at": "eventTimestamp",
        "properties": "eventProperties",
    },
    shape={"type": "object", "properties": _ERRORS, "required": ["errors"]},
    shapes={status.HTTP_409_CONFLICT: {"type": "object", "properties": _MESSAGE | _ERRORS, "required": ["message"]}},
)
