"""Salesbricks' errors: one envelope with a code."""

from typing import Any

from rest_framework import serializers, status

from usage.dialects.shared.errors import ErrorStyle, Problem
from usage.ledger import LineNotFound, RecordNotFound

CODES = {
    400: "ERR_BAD_REQUEST",
    401: "ERR_UNAUTHORIZED",
    403: "ERR_FORBIDDEN",
    404: "ERR_NOT_FOUND",
    405: "ERR_METHOD_NOT_ALLOWED",
    409: "ERR_CONFLICT",
    408: "ERR_REQUEST_TIMEOUT",
    411: "ERR_LENGTH_REQUIRED",
    413: "ERR_PAYLOAD_TOO_LARGE",
    415: "ERR_UNSUPPORTED_MEDIA_TYPE",
    429: "ERR_TOO_MANY_REQUESTS",
    500: "ERR_INTERNAL_SERVER_ERROR",
    503: "ERR_SERVICE_UNAVAILABLE",
    507: "ERR_INSUFFICIENT_STORAGE",
}


class CodedMessageSerializer(serializers.Serializer):
    code = serializers.ChoiceField(list(CODES.values()))
    message = serializers.CharField()
    details = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)


class ErrorSerializer(serializers.Serializer):
    error = CodedMessageSerializer()


def body(problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {"code": CODES[problem.status], "message": problem.message}
    if problem.fields:
        error["details"] = problem.fields
    return {"error": error}


STYLE = ErrorStyle(
    body=body,
    fields={
        "line": "brick_id",
        "occurred_at": "time",
        "quantity": "value",
        "key": "transaction_id",
        "properties": "properties",
    },
    statuses={LineNotFound: status.HTTP_404_NOT_FOUND, RecordNotFound: status.HTTP_404_NOT_FOUND},
    messages={
        LineNotFound: "Unknown subscription or brick.",
        RecordNotFound: "Usage entry does not exist.",
    },
    shape=ErrorSerializer,
)
