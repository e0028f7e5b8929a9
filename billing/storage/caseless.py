"""Texts without the difference between upper and lower case, folded here and never by a database.

What a database makes of case depends on its locale: two of them would count differently, and so would one that was
restored under another. What is folded is stored, so that SQL compares equal texts.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any


def fold(text: str) -> str:
    """Return the one text of all that differ in case alone, or in how their accents are composed."""
    if text.isascii():
        return text.lower()
    # Folding takes some letters apart (\u0390), so that they are composed once more.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def folded_copy(properties: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return the folded texts among properties, of those that folding changes; None where there are none."""
    texts = ((name, value, fold(value)) for name, value in (properties or {}).items() if isinstance(value, str))
    return {name: folded for name, value, folded in texts if folded != value} or None
