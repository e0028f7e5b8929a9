"""A process that is killed: an exception that nothing catches, at a chosen statement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from django.db import connection

from tests.factories import ACTOR
from usage import closing


class Killed(BaseException):
    """No code catches it, as none runs on after SIGKILL."""


@contextmanager
def killed_at(statement: int) -> Iterator[list[str]]:
    """Die instead of the n-th statement that writes, the first is 1; give the statements that were reached.

    What is read changes nothing: a process that dies there dies as before the next write.
    """
    reached: list[str] = []

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            reached.append(sql)
            if len(reached) == statement:
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count), suppress(Killed):
        yield reached


def sweep(now: datetime) -> None:
    """What the schedule and the workers do between them until nothing is left to do at that moment."""
    for run in [*closing.close_due(as_of=now, actor=ACTOR), *closing.stalled(as_of=now)]:
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: now, actor=ACTOR)
