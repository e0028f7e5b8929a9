"""Test of one way of running, from start to last check: ``python -m tests.faults.story WAY FOLDER SEED ROUNDS``.

It needs its own process, since Django is set up once per process, for one database.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.http import ask
from tests.faults.processes import Failed, command_of, die_with_parent, send, wait_for, with_environment
from tests.faults.ways import START_SECONDS, WAYS, Way, reaches_redis

SENDERS = 3
MOST_REQUESTS = 20_000
KILLS_EACH, OTHERS = 3, 3
QUIET_SECONDS = (0.2, 1.5)
# A missed heartbeat, then two turns of the schedule, then time for the worker to take the task.
SWEEPS_SECONDS = 3 + 2 * 20 + 15
PROBLEM, BROKEN = 1, 70


def say(text: str) -> None:
    """Print a line. If nobody reads the output any more, discard it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for the rest of the process


def main(name: str, folder: Path, seed: int, rounds: int) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # Terminated, not killed: there is much to clean up.
    die_with_parent(signal.SIGTERM)
    (folder / "logs").mkdir(parents=True)
    (folder / "var").mkdir(mode=0o700)
    try:
        with WAYS[name](folder) as way:
            return _Story(way, seed).run(rounds)
    except Failed as failure:
        say(f"  {failure}")
        return PROBLEM
    finally:
        _end_leftovers(folder)


def _end_leftovers(folder: Path) -> None:
    for pid in with_environment(f"ARREARS_VAR={folder / 'var'}"):
        say(f"  left over, and ended: {pid} {command_of(pid)}")
        send(pid, signal.SIGKILL)


class _Story:
    def __init__(self, way: Way, seed: int) -> None:
        self.way, self.seed = way, seed
        self.rng = random.Random(f"{seed} {way.name}")
        os.environ.update({name: way.environment[name] for name in way.environment})
        if not way.database:
            os.environ.pop("DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django  # noqa: PLC0415  # the settings depend on the way

        django.setup()

    def run(self, rounds: int) -> int:
        from django.core.management import call_command  # noqa: PLC0415

        from tests.faults import setting  # noqa: PLC0415
        from tests.faults.closer import Closer  # noqa: PLC0415
        from tests.faults.journal import Journal  # noqa: PLC0415

        call_command("migrate", interactive=False, verbosity=0)
        self.journal = Journal()
        self.setting = setting.build("faults", today=datetime.now(tz=setting.TIME_ZONE).date())
        self.way.start()
        self._wait_until_up()
        self.stopping = threading.Event()
        rng = random.Random(f"{self.seed} closer")
        self.closer = Closer(self.way.port, self.setting, self.journal, rng, self.stopping, self.way.environment)
        try:
            for number in range(1, rounds + 1):
                self._round(number)
        finally:
            self.journal.write(self.way.folder / "journal.json")
        return 0

    def _round(self, number: int) -> None:
        from tests.faults import checks, strikes  # noqa: PLC0415

        begun = time.monotonic()
        faults = strikes.plan(self.rng, self.way.targets, kills=KILLS_EACH, others=OTHERS)
        with self._load(number):
            issued = self.journal.answers["issue"]
            wait_for(lambda: self.journal.answers["issue"] > issued, "the first issue", seconds=START_SECONDS)
            for fault in faults:
                time.sleep(self.rng.uniform(*QUIET_SECONDS))
                say(f"  {time.monotonic() - begun:5.1f} s  {fault}")
                strikes.strike(fault, self.way, self.rng)
                self._wait_until_served()
        self._wait_until_up()
        up = time.monotonic()
        self._wait_for_sweeps()
        swept = time.monotonic() - up
        self.closer.finish(seconds=120)
        wrong = checks.all_wrong(self.setting, self.journal)
        self._require_work(number)
        say(f"  round {number}: {len(faults)} faults, {self._told()}")
        say(f"  all up after {up - begun:.0f} s, runs at rest {swept:.0f} s later; {len(checks.CHECKS)} checks")
        if wrong:
            raise Failed("\n  ".join(wrong[:50]))

    @contextmanager
    def _load(self, number: int) -> Iterator[None]:
        """Report usage and close periods while the block runs.

        Senders stop once no outcome is open that can be known.
        """
        from tests.faults.senders import Sender  # noqa: PLC0415

        self.stopping.clear()
        work: list[Any] = [
            Sender(
                self.way.port,
                self.setting,
                self.journal,
                random.Random(f"{self.seed} {number} {index}"),
                MOST_REQUESTS,
                self.stopping,
            ).run
            for index in range(SENDERS)
        ]
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=_noting, args=(one, failures), daemon=True) for one in [*work, self.closer.run]
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
        self._wait_until_up()
        for thread in threads:
            thread.join(timeout=120)
        if failures:
            raise Failed(f"the load ended: {failures[0]!r}") from failures[0]
        if any(thread.is_alive() for thread in threads):
            raise Failed("a sender gets no answer although everything is up")

    def _wait_until_served(self) -> None:
        """Wait for what the load needs to go on. Workers and the schedule may be down when the next fault strikes."""
        wait_for(
            lambda: ask(self.way.port, "GET", "/healthz", {}).status == 200,
            "an answer of the web server",
            seconds=START_SECONDS + 30,
        )

    def _wait_until_up(self) -> None:
        wait_for(self._is_up, f"{self.way.name} being up", seconds=START_SECONDS + 30)

    def _is_up(self) -> bool:
        if not all(self.way.processes_of(target) for target in self.way.targets):
            return False
        if self.way.redis_port is not None and not reaches_redis(self.way.redis_port):
            return False
        return ask(self.way.port, "GET", "/healthz", {}).status == 200

    def _wait_for_sweeps(self) -> None:
        """Require that all automatic work is done within two sweeps. Work that waits for a person may remain."""
        from django.db import connection  # noqa: PLC0415

        from usage import closing  # noqa: PLC0415

        # The connection may be broken by a fault.
        connection.close()
        what = "the end of all automatic work"
        wait_for(lambda: not closing.at_work().exists(), what, seconds=SWEEPS_SECONDS)

    def _require_work(self, number: int) -> None:
        """Fail if nothing happened in a round: it would prove nothing."""
        answers = self.journal.answers
        least = {"report": 50, "batch": 10, "correct": 10, "retract": 10, "close": 2, "issue": 1}
        idle = [what for what, count in least.items() if answers[what] < count * number]
        if idle:
            raise Failed(f"too little was going on to prove anything: {idle} of {dict(answers)}")

    def _told(self) -> str:
        acknowledged = sum(1 for _ in self.journal.acknowledged())
        unknown = sum(entry.fate == "unknown" for entry in self.journal.entries)
        answers = self.journal.answers
        closed = ", ".join(f"{answers[what]} {what}s" for what in ("close", "issue", "discard", "command"))
        return f"{acknowledged} records acknowledged, {unknown} of unknown fate, {closed} so far"


def _noting(run: Any, failures: list[BaseException]) -> None:
    try:
        run()
    except BaseException as failure:  # noqa: BLE001  # raised again by the code that joins the thread
        failures.append(failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
