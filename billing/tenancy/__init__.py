"""Name the few reads that may look across workspaces, each with its reason.

Every other statement on a tenant's table names the workspace, so that a request reaches no other tenant's rows, and
tables that are distributed by workspace answer from one server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Across(Enum):
    """A reason to look across workspaces."""

    KEY = "a request's key tells its workspace, and is all that is known before"
    REPLAY = "an operator names invoices by their numbers, of whichever workspaces, or all that there are"
    SWEEP = "the sweep finds the jobs that nobody works on any more, whosever they are"
    GIVEN_ID = "ids of customers, subscriptions and bricks may be given, and are unique over all workspaces"
    ORIGIN = "a browser asks whether a page may call before it sends the key that tells the workspace"
    EXPIRY = "replies are removed by their age alone, whosever they are"


_crossing: ContextVar[Across | None] = ContextVar("crossing", default=None)


def crossing() -> Across | None:
    """Return the reason for which statements may look across workspaces now; None where they may not."""
    return _crossing.get()


@contextmanager
def across(reason: Across) -> Iterator[None]:
    """Let the statements inside look across workspaces."""
    token = _crossing.set(reason)
    try:
        yield
    finally:
        _crossing.reset(token)
