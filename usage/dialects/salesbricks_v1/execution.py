"""Running an operation: all of its mutations are kept, or none."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from django.db import transaction
from graphql import ExecutionResult, GraphQLError, execute

from usage.dialects.salesbricks_v1.documents import Document
from usage.dialects.salesbricks_v1.schema import SCHEMA


def run(
    document: Document, *, root: dict[str, Any], variables: dict[str, Any] | None, operation_name: str | None
) -> ExecutionResult:
    """Run an operation of a document and return its data or its errors; with any error nothing is changed.

    What a field raises beyond ``GraphQLError`` is raised again.
    """
    # One mutation is one statement, which needs no transaction around it.
    whole: AbstractContextManager[Any] = nullcontext() if document.most_roots <= 1 else transaction.atomic()
    with whole:
        result = execute(
            SCHEMA,
            document.node,
            root_value=root,
            variable_values=variables,
            operation_name=operation_name,
            is_awaitable=lambda _: False,
        )
        outcome = cast(ExecutionResult, result)
        for error in outcome.errors or ():
            if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
                raise error.original_error
        if outcome.errors and document.most_roots > 1:
            transaction.set_rollback(True)
    return outcome
