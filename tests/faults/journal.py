"""Journal of what senders sent and were answered, kept apart from the program. Every check compares with it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

ACKNOWLEDGED, UNKNOWN, REFUSED = "acknowledged", "unknown", "refused"


@dataclass
class Entry:
    """One piece of usage. Its moment is unique and identifies it in the ledger.

    ``quantity`` is the last acknowledged one; of an event, the property that is added up. ``subscription`` is the
    number of its customer, or None for an unknown alias.
    """

    moment: datetime
    subscription: int | None
    is_event: bool
    quantity: Decimal
    dialect: str
    key: str | None = None
    handle: Any = None
    fate: str = UNKNOWN
    is_retracted: bool = False


@dataclass
class Journal:
    entries: list[Entry] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, *entries: Entry) -> None:
        with self._lock:
            self.entries.extend(entries)

    def count(self, what: str) -> None:
        with self._lock:
            self.answers[what] += 1

    def wonder(self, at: str) -> None:
        with self._lock:
            self.surprises.append(at)

    def acknowledged(self) -> Iterator[Entry]:
        return (entry for entry in list(self.entries) if entry.fate == ACKNOWLEDGED)

    def write(self, to: Path) -> None:
        told = {
            "entries": [asdict(entry) for entry in self.entries],
            "answers": self.answers,
            "surprises": self.surprises,
        }
        to.write_text(json.dumps(told, default=str, indent=1))
