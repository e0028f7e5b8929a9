"""Finance staff, simulated through the API: closes each month, then issues or discards, despite interruptions."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from billing.storage.jsontext import encode
from tests.faults.dialects import NATIVE
from tests.faults.http import Answer, ask
from tests.faults.journal import Journal
from tests.faults.processes import Failed, die_with_parent
from tests.faults.setting import Setting

POLL_SECONDS = 0.1
# How long a run may stand still before a person would use the command.
IMPATIENT_SECONDS = 4
AT_WORK = ("computing", "issuing")


@dataclass
class Closer:
    port: int
    setting: Setting
    journal: Journal
    rng: random.Random
    stopping: threading.Event
    environment: Mapping[str, str]
    month: int = 1
    # The runs at work, and since when the same ones are.
    waiting: tuple[tuple[int, ...], float] = ((), 0)

    @property
    def _last(self) -> int:
        return len(self.setting.months) - 1

    def run(self) -> None:
        """Close, issue or discard, and close again until told to stop. ``finish`` completes the rest."""
        while not self.stopping.wait(POLL_SECONDS):
            runs = self._unfinished()
            for run in runs:
                self._decide(run)
            if self._has_waited(runs):
                self._close_by_command()
            self._start()

    def finish(self, *, seconds: float) -> None:
        """Issue what is in review and close the rest, including differences.

        Raise ``Failed`` if that does not end in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            runs, is_last = self._unfinished(), self.month == self._last
            for run in runs:
                if run["state"] == "review":
                    self._ask("POST", f"{run['id']}/issue/")
            if not runs and self._start().status == 409 and is_last:
                return
            time.sleep(POLL_SECONDS)
        raise Failed(f"closes did not come to an end: {self._unfinished()}")

    def _start(self) -> Answer:
        until = self.setting.months[self.month] - timedelta(days=1)
        answer = self._ask("POST", "", {"until": until.isoformat()})
        if answer.status == 409 and "left to" not in str(answer.body):
            self.month = min(self.month + 1, self._last)
        self._count("close", answer)
        return answer

    def _unfinished(self) -> list[Mapping[str, Any]]:
        answer = self._ask("GET", "")
        if not answer.is_taken:
            return [{"id": 0, "state": "unknown"}]
        return [run for run in answer.body["results"] if run["state"] not in ("issued", "discarded")]

    def _has_waited(self, runs: list[Mapping[str, Any]]) -> bool:
        at_work = tuple(run["id"] for run in runs if run["state"] in AT_WORK)
        if at_work != self.waiting[0]:
            self.waiting = at_work, time.monotonic()
        return bool(at_work) and time.monotonic() > self.waiting[1] + IMPATIENT_SECONDS

    def _close_by_command(self) -> None:
        """Resume interrupted runs with the timer's command, beside workers that may be back meanwhile."""
        until = self.setting.months[self.month] - timedelta(days=1)
        command = ["manage.py", "close", "--workspace", self.setting.code, "--until", until.isoformat()]
        if self.rng.random() < 0.5:
            command.append("--issue")
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment,
            capture_output=True,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.journal.count("command")
        if done.returncode not in (0, 1, 3, 4) or "Traceback" in done.stderr:
            self.journal.wonder(f"{' '.join(command)}: {done.returncode} {done.stderr[-1000:]}")

    def _decide(self, run: Mapping[str, Any]) -> None:
        """Issue or discard drafts. Now and then discard a run that is still computing, which may be refused."""
        if run["state"] == "review":
            word = self.rng.choices(["issue", "discard"], [2, 1])[0]
        elif run["state"] == "computing" and self.rng.random() < 0.02:
            word = "discard"
        else:
            return
        self._count(word, self._ask("POST", f"{run['id']}/{word}/"))

    def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        text = None if body is None else encode(body)
        answer = ask(self.port, method, f"/api/close-runs/{path}", NATIVE.headers(self.setting), text)
        if not (answer.is_taken or answer.is_unknown or answer.status == 409):
            self.journal.wonder(f"close: {method} {path}: {answer.status} {str(answer.body)[:500]}")
        return answer

    def _count(self, what: str, answer: Answer) -> None:
        if answer.is_taken:
            self.journal.count(what)
