"""GraphQL's errors: a list, each with its code and field in ``extensions``."""

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError

from usage.dialects.shared.errors import ErrorStyle, Problem

BAD_INPUT = "BAD_USER_INPUT"


def bad_input(message: str, field: str | None = None) -> GraphQLError:
    """Return the error of a mutation with an invalid argument ``field``."""
    return GraphQLError(message, extensions=_extensions(field))


def _extensions(field: str | None) -> dict[str, str]:
    return {"code": BAD_INPUT} | ({"field": field} if field else {})


def body(problem: Problem) -> dict[str, Any]:
    named = [
        {"message": message, "extensions": _extensions(field)}
        for field, messages in problem.fields.items()
        for message in messages
    ]
    return {"errors": named or [{"message": problem.message}]}


def listed(errors: Iterable[GraphQLError]) -> list[Any]:
    """Return errors as in a response; errors of resolved fields always have a code."""
    return [
        error.formatted | ({"extensions": error.extensions or _extensions(None)} if error.path else {})
        for error in errors
    ]


# Mutations translate the ledger's refusals themselves.
STYLE = ErrorStyle(body=body, fields={})
