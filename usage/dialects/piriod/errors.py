"""Piriod's errors: a map of fields for invalid input, ``detail`` for all others."""

from typing import Any

from rest_framework import serializers, status

from usage.dialects.shared.errors import ErrorStyle, Problem
from usage.ledger import LineNotFound, LineNotMetered, RecordNotFound


class DetailSerializer(serializers.Serializer):
    detail = serializers.CharField()


def body(problem: Problem) -> dict[str, Any]:
    if problem.status != status.HTTP_400_BAD_REQUEST:
        return {"detail": problem.message}
    return dict(problem.fields) or {"non_field_errors": [problem.message]}


STYLE = ErrorStyle(
    body=body,
    fields={"line": "subscription_line", "occurred_at": "date_time", "quantity": "quantity"},
    statuses={RecordNotFound: status.HTTP_404_NOT_FOUND},
    messages={
        LineNotFound: 'Invalid pk "{subscription_line}" - object does not exist.',
        LineNotMetered: "The plan of this subscription line must have usage_scheme=metered.",
        RecordNotFound: "Not found.",
    },
    shape=DetailSerializer,
    shapes={400: {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}},
)
