"""Errors as Sequence words them: a list, each with the field that it is about; a conflict is a message alone."""

from typing import Any

from rest_framework import status

from usage.dialects.base import ErrorStyle, Problem

_MESSAGE = {"message": {"type": "string"}}
_LISTED = {"type": "object", "properties": {"field": {"type": "string"}, **_MESSAGE}, "required": ["message"]}


def body(problem: Problem) -> dict[str, Any]:
    if problem.status == status.HTTP_409_CONFLICT:
        return {"message": problem.message}
    named = [{"field": name, "message": message} for name, messages in problem.fields.items() for message in messages]
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
    shape={"type": "object", "properties": {"errors": {"type": "array", "items": _LISTED}}, "required": ["errors"]},
    shapes={status.HTTP_409_CONFLICT: {"type": "object", "properties": _MESSAGE, "required": ["message"]}},
)
