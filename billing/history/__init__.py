"""Who changed what, from what to what: a history to which is only added.

A row that is saved or deleted anywhere in the program leaves its trace by itself (``recording``), in the transaction
that changes it. What is written in bulk or by a bare UPDATE has to say so: ``note`` and ``note_added``.
"""

from billing.history.actors import PROGRAM, Actor, act_as, acting, key, person
from billing.history.reading import changes_of, is_kept_of, newest_of
from billing.history.recording import note, note_added

__all__ = [
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
]
