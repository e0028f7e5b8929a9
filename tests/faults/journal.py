"""What senders were told of what they sent, kept apart from the program: the other side of every check."""

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
    """One piece of usage. No two have the same moment, by which it is found again in the ledger.

    ``quantity`` is what was last acknowledged, of an event the property that is added up. ``subscription`` is the
    number of the customer that it is of, None for a name that is nobody's.
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
