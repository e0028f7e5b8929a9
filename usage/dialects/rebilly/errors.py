"""Rebilly's errors: problem details with the invalid fields."""

from http import HTTPStatus
from typing import Any

from rest_framework import exceptions, serializers, status

from usage.dialects.shared.errors import ErrorStyle, Problem
from usage.ledger import LimitReached, RecordNotFound

# The vendor's own titles, and those that differ between versions of Python.
TITLES = {413: "Content Too Large", 422: "Validation error", 429: "Rate Limit Exceeded"}


class Invoiced(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This usage is on an issued invoice."


class InvalidFieldReply(serializers.Serializer):
    field = serializers.CharField()
    message = serializers.CharField()


class ProblemReply(serializers.Serializer):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class InvalidReply(ProblemReply):
    invalidFields = InvalidFieldReply(many=True, required=False)  # noqa: N815  (the vendor's name)


def body(problem: Problem) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(problem.status) or HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.message,
    }
    invalid = [{"field": name, "message": message} for name, messages in problem.fields.items() for message in messages]
    return told | ({"invalidFields": invalid} if invalid else {})


STYLE = ErrorStyle(
    body=body,
    fields={"line": "subscriptionId", "occurred_at": "usageTime", "quantity": "quantity"},
    statuses={RecordNotFound: status.HTTP_404_NOT_FOUND, LimitReached: status.HTTP_409_CONFLICT},
    messages={RecordNotFound: "Not found."},
    invalid_status=status.HTTP_422_UNPROCESSABLE_ENTITY,
    shape=ProblemReply,
    shapes={400: InvalidReply, 422: InvalidReply},
)
