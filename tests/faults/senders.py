"""Services that report usage, one request after the other, and note the responses.

A sender without a response repeats only safe requests: those with a key, and changes. A request without a key is not
repeated, and must not be recorded twice.
"""

import itertools
import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.faults.dialects import DIALECTS, NATIVE, SEQUENCE, Call, Dialect, native_record
from tests.faults.http import Answer, ask
from tests.faults.journal import ACKNOWLEDGED, REFUSED, Entry, Journal
from tests.faults.setting import Setting

BATCH = 20
PAUSE_SECONDS = 0.03
RETRY_SECONDS = 0.5
# Weights with which actions are drawn.
ACTIONS = {"report": 12, "batch": 3, "correct": 4, "retract": 3}
_serial = itertools.count(1)


@dataclass
class Sender:
    port: int
    setting: Setting
    journal: Journal
    rng: random.Random
    most_requests: int
    stopping: threading.Event
    may_insist: bool = True

    def run(self) -> None:
        """Send until told to stop."""
        mine: list[Entry] = []
        for _ in range(self.most_requests):
            if self.stopping.wait(PAUSE_SECONDS):
                return
            action = self.rng.choices([*ACTIONS], [*ACTIONS.values()])[0]
            mine += getattr(self, f"_{action}")(mine)
            self.journal.count(action)

    def _report(self, _: list[Entry]) -> list[Entry]:
        dialect = self.rng.choice([*DIALECTS.values()])
        entry = self._entry(dialect, has_key=dialect.has_keys)
        self.journal.add(entry)
        answer, tries = self._insist(dialect.reporting(self.setting, entry), may_repeat=entry.key is not None)
        if answer.is_taken:
            entry.fate, entry.handle = ACKNOWLEDGED, dialect.handle(answer.body)
        elif tries > 1 and _is_duplicate(answer):
            entry.fate = ACKNOWLEDGED
            entry.handle = answer.body.get("record")
        elif not answer.is_unknown:
            entry.fate = REFUSED
            self._wonder(dialect, "report", answer)
        return [entry]

    def _batch(self, _: list[Entry]) -> list[Entry]:
        """Send records with their own keys, or without any under an idempotency key, or with neither."""
        kind = self.rng.choice(["keys", "idempotent", "bare"])
        entries = [self._entry(NATIVE, has_key=kind == "keys") for _ in range(BATCH)]
        self.journal.add(*entries)
        targets = self.setting.targets
        records = [native_record(targets[entry.subscription or 0], entry) for entry in entries]
        headers = NATIVE.headers(self.setting)
        if kind == "idempotent":
            headers["Idempotency-Key"] = f"batch-{next(_serial)}"
        call = Call("POST", "/api/usage/batch/", headers, {"records": records})
        answer, tries = self._insist(call, may_repeat=kind != "bare")
        if answer.is_taken:
            for entry, result in zip(entries, answer.body["results"], strict=True):
                self._note(entry, result, tries)
        elif not answer.is_unknown:
            self._wonder(NATIVE, f"batch with {kind}", answer)
        return entries

    def _note(self, entry: Entry, result: dict[str, Any], tries: int) -> None:
        if result["status"] == "recorded" or (tries > 1 and result["status"] == "duplicate"):
            entry.fate, entry.handle = ACKNOWLEDGED, result["id"]
        else:
            entry.fate = REFUSED
            self._wonder(NATIVE, "batch", Answer(200, result))

    def _correct(self, mine: list[Entry]) -> list[Entry]:
        chosen = self._choose(mine, "correct")
        if chosen is not None:
            dialect = DIALECTS[chosen.dialect]
            former, chosen.quantity = chosen.quantity, self._quantity(dialect)
            assert dialect.correct is not None
            answer, _ = self._insist(dialect.changing(self.setting, chosen, dialect.correct), may_repeat=True)
            if not answer.is_taken:
                chosen.quantity = former
                self._leave(chosen, mine, dialect, "correct", answer)
        return []

    def _retract(self, mine: list[Entry]) -> list[Entry]:
        chosen = self._choose(mine, "retract")
        if chosen is not None:
            dialect = DIALECTS[chosen.dialect]
            assert dialect.retract is not None
            answer, tries = self._insist(dialect.changing(self.setting, chosen, dialect.retract), may_repeat=True)
            chosen.is_retracted = answer.is_taken or (tries > 1 and answer.status in (400, 404))
            # Rebilly refuses changes to records on an issued invoice.
            if not chosen.is_retracted and answer.status != 409:
                self._leave(chosen, mine, dialect, "retract", answer)
        return []

    def _choose(self, mine: list[Entry], what: str) -> Entry | None:
        changeable = [
            entry
            for entry in mine[-200:]
            if entry.fate == ACKNOWLEDGED
            and not entry.is_retracted
            and (entry.handle is not None or entry.key is not None)
            and getattr(DIALECTS[entry.dialect], what) is not None
        ]
        return self.rng.choice(changeable) if changeable else None

    def _leave(self, entry: Entry, mine: list[Entry], dialect: Dialect, action: str, answer: Answer) -> None:
        """Report the unexpected response to a change, and leave the record alone from then on."""
        self._wonder(dialect, action, answer)
        mine.remove(entry)

    def _entry(self, dialect: Dialect, *, has_key: bool) -> Entry:
        number = next(_serial)
        since, until = self.setting.window()
        seconds = self.rng.randrange(int((until - since).total_seconds()))
        # No two records have the same moment: the microseconds differ.
        moment: datetime = since + timedelta(seconds=seconds, microseconds=number % 1_000_000)
        is_nobodys = dialect is SEQUENCE and self.rng.random() < 0.15
        return Entry(
            moment=moment,
            subscription=None if is_nobodys else self.rng.randrange(len(self.setting.targets)),
            is_event=dialect.is_of_events,
            quantity=self._quantity(dialect),
            dialect=dialect.name,
            key=f"key-{number}" if has_key else None,
        )

    def _quantity(self, dialect: Dialect) -> Decimal:
        return Decimal(self.rng.randrange(10**dialect.decimals, 1000 * 10**dialect.decimals)).scaleb(-dialect.decimals)

    def _insist(self, call: Call, *, may_repeat: bool) -> tuple[Answer, int]:
        """Send until the outcome is known, if repeating is safe. Return the answer and the number of attempts."""
        for tries in itertools.count(1):
            answer = ask(self.port, call.method, call.path, call.headers, call.text)
            self.journal.count(f"status {answer.status}")
            if not (answer.is_unknown and may_repeat and self.may_insist) and answer.status != 409:
                return answer, tries
            if answer.status == 409 and not _is_concurrent(answer):
                return answer, tries
            threading.Event().wait(RETRY_SECONDS)
        raise AssertionError

    def _wonder(self, dialect: Dialect, action: str, answer: Answer) -> None:
        self.journal.wonder(f"{dialect.name} {action}: {answer.status} {str(answer.body)[:500]}")


def _is_duplicate(answer: Answer) -> bool:
    return answer.status == 409 or (answer.status == 400 and "transaction_id" in str(answer.body))


def _is_concurrent(answer: Answer) -> bool:
    """Return whether the same request is still being handled, from a connection that was given up."""
    return "is being worked on" in str(answer.body)
