"""``make faults``: kill every part of the program while it works, then check ledger, invoices and numbers.

Each way of running is tried in turn. Senders report, correct and retract usage through every dialect; periods are
closed, issued and discarded. Meanwhile each of web, worker, schedule, PostgreSQL and Redis is killed three times a
round, and three of them are terminated, stopped for a while or made to refuse. The seed decides when and how. Then
everything is checked against the responses that the senders got. All servers are started for this run on loopback and
stopped after it. If something is wrong, the logs are kept.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.processes import die_with_parent
from tests.faults.story import say
from tests.faults.ways import WAYS, postgresql_programs


def main() -> int:
    asked = _arguments()
    missing = _missing() if "production" in asked.ways else ""
    ways = [way for way in asked.ways if way != "production" or not missing]
    say(f"seed {asked.seed}, {asked.rounds} round(s) of {', '.join(ways) or 'nothing'}")
    status = 0
    for way in ways:
        status = _run(way, asked) or status
    if missing:
        required = os.environ.get("REQUIRE_SERVICES") == "1"
        say(f"{'MISSING' if required else 'skipped'}: production, which needs {missing}")
        status = status or int(required)
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__, usage='make faults ARGS="..."')
    parser.add_argument("--rounds", type=int, default=1, help="rounds per way, each with three kills per target (1)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="draws targets, kinds and moments")
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS], metavar="WAY", help="of: %(choices)s")
    asked = parser.parse_args()
    if not 1 <= asked.rounds <= 1000:
        parser.error("--rounds is a number from 1 to 1000")
    if sys.platform != "linux":
        parser.error("processes are told apart by /proc, which only Linux has")
    return asked


def _missing() -> str:
    absent = {"PostgreSQL's programs": postgresql_programs(), "redis-server": shutil.which("redis-server")}
    return " and ".join(name for name, found in absent.items() if not found)


def _run(way: str, asked: argparse.Namespace) -> int:
    """Run one way in its own process. Keep its folder if it fails."""
    folder = Path(tempfile.mkdtemp(prefix=f"arrears-faults-{way}-"))
    begun = time.monotonic()
    say(f"\n{way}")
    command = [sys.executable, "-m", "tests.faults.story", way, str(folder), str(asked.seed), str(asked.rounds)]
    child = subprocess.Popen(command, preexec_fn=lambda: die_with_parent(signal.SIGTERM), start_new_session=True)
    status = _wait_for(child)
    if status == 0:
        say(f"  {way}: all holds, in {time.monotonic() - begun:.0f} s")
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f'  {way}: FAILED. Again: make faults ARGS="--ways {way} --rounds {asked.rounds} --seed {asked.seed}"')
        say(f"  what was sent and the logs are kept in {folder}")
    return status


def _wait_for(child: subprocess.Popen[bytes]) -> int:
    """Wait for the child to exit. If this process is ended, end the child and wait until it has cleaned up."""

    def end(number: int, _: object) -> None:
        child.terminate()
        child.wait()
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
