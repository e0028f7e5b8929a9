"""Declare the few reads that may look across workspaces, each with its reason.

Every other statement on a tenant's table names the workspace, so that a request reaches no other tenant's rows, and
tables that are distributed by workspace answer from one server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Across(Enum):
    """A reason to look across workspaces."""

    KEY = "a request's workspace is determined by its key, and not known before"
    REPLAY = "an operator selects invoices by their numbers in any workspace, or all invoices"
    SWEEP = "the sweep finds the stopped jobs of all workspaces"
    GIVEN_ID = "ids of customers, subscriptions and bricks may be given by clients, and are unique over all workspaces"
    ORIGIN = "a browser's preflight request comes without the key that determines the workspace"
    EXPIRY = "old replies of all workspaces are removed"


_crossing: ContextVar[Across | None] = ContextVar("crossing", default=None)


def crossing() -> Across | None:
    """Return the reason why statements may look across workspaces now; None if they may not."""
    return _crossing.get()


@contextmanager
def across(reason: Across) -> Iterator[None]:
    """Let the statements of the block look across workspaces."""
    token = _crossing.set(reason)
    try:
        yield
    finally:
        _crossing.reset(token)
