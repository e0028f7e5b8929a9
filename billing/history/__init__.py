"""The history of changes: who changed which value from what to what. Append-only.

A row that is saved or deleted anywhere in the program leaves a trace by itself (``recording``), in the same
transaction. Code that writes in bulk or by a bare UPDATE calls ``note`` or ``note_added``.
"""

from billing.history import recording
from billing.history.actors import PROGRAM, Actor, act_as, acting, key, person
from billing.history.kinds import KINDS
from billing.history.reading import changes_of, is_kept_of, newest_of
from billing.history.recording import note, note_added

__all__ = [
    "KINDS",
    "PROGRAM",
    "Actor",
    "act_as",
    "acting",
    "changes_of",
    "is_kept_of",
    "key",
    "newest_of",
    "note",
    "note_added",
    "person",
    "recording",
]
