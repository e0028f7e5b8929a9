"""Run an operation: all of its mutations are committed, or none."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django.db import transaction
from graphql import ExecutionResult, GraphQLError, execute

from usage import ledger
from usage.commands import LineByBrick
from usage.dialects.salesbricks_v1.mutations import naming
from usage.dialects.salesbricks_v1.operations import Operations
from usage.dialects.salesbricks_v1.schema import SCHEMA


def run(
    operations: Operations,
    *,
    workspace_id: int,
    root: dict[str, Any],
    variables: dict[str, Any] | None,
    operation_name: str | None,
) -> ExecutionResult:
    """Run one of the operations and return its data or its errors; any error rolls back all changes.

    Exceptions of fields other than ``GraphQLError`` are re-raised.
    """
    run_with = partial(_run, operations, variables=variables, operation_name=operation_name)
    # A single mutation is a single statement and needs no transaction around it.
    if operations.most_roots <= 1:
        return run_with(root)
    with transaction.atomic():
        _hold_lines(run_with, workspace_id)
        outcome = run_with(root)
        if outcome.errors:
            transaction.set_rollback(True)
    return outcome


def _hold_lines(run_with: Callable[[dict[str, Any]], ExecutionResult], workspace_id: int) -> None:
    # The lines depend on variables, fragments and directives: a dry run finds them before any lock is taken.
    addresses: list[LineByBrick] = []
    run_with(naming(addresses))
    if addresses:
        ledger.hold_lines(workspace_id=workspace_id, addresses=addresses)


def _run(
    operations: Operations, root: dict[str, Any], *, variables: dict[str, Any] | None, operation_name: str | None
) -> ExecutionResult:
    result = execute(
        SCHEMA,
        operations.node,
        root_value=root,
        variable_values=variables,
        operation_name=operation_name,
        is_awaitable=lambda _: False,
    )
    outcome = cast(ExecutionResult, result)
    for error in outcome.errors or ():
        if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
            raise error.original_error
    return outcome
