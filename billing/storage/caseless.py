"""Case-fold texts for comparison, independently of the database.

A database folds by its locale: two databases would count differently, and so would one restored under another locale.
Folded texts are stored, so SQL only compares them for equality.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any


def fold(text: str) -> str:
    """Return the same text for all texts that differ only in case or in the composition of their accents."""
    if text.isascii():
        return text.lower()
    # Folding decomposes some letters (\u0390), so compose again.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def folded_copy(properties: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return the folded values of the properties that folding changes, by name; None if there are none."""
    texts = ((name, value, fold(value)) for name, value in (properties or {}).items() if isinstance(value, str))
    return {name: folded for name, value, folded in texts if folded != value} or None
