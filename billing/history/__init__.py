"""The history of changes: the actor, the field, and the values before and after. Append-only.

Rows that have a history are written by ``insert``, ``save`` and ``delete``, which record the change in the same
transaction. Code that writes in bulk or by a plain UPDATE calls ``note`` or ``note_added``.
"""

from billing.history.kinds import KINDS
from billing.history.reading import changes_of, is_kept_of, newest_of
from billing.history.recording import delete, insert, note, note_added, save

__all__ = ["KINDS", "changes_of", "delete", "insert", "is_kept_of", "newest_of", "note", "note_added", "save"]
