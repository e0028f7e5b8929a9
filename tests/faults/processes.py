"""Process manager that restarts whatever exits, as the README asks of production. No process outlives a run."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
RESTART_SECONDS = 1


class Failed(Exception):
    """An expectation does not hold."""


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Terminate this child when its parent exits, in whatever way.

    Called in the child before it executes its program.
    """
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, number)


@dataclass
class Service:
    """One program in its own session, writing to a log, restarted a moment after it exits."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    # User and group.
    runs_as: tuple[int, int] | None = None
    # Signal that ends it in the normal case, and the one that Linux sends if its manager is gone.
    farewell: int = signal.SIGTERM
    last_word: int = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = None
    started: float = 0
    starts: int = 0
    ended: float | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        other: dict[str, Any] = {}
        if self.runs_as is not None:
            other = {"user": self.runs_as[0], "group": self.runs_as[1], "extra_groups": [], "cwd": "/"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(self.last_word),
                **other,
            )
        self.started, self.ended = time.monotonic(), None
        self.starts += 1

    def end_group(self) -> None:
        """Kill the rest of the process group, as a manager does that ends a whole control group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@dataclass
class Manager:
    """Keep services running until it is closed. Closing ends them in reverse order."""

    services: list[Service] = field(default_factory=list)

    def __enter__(self) -> "Manager":
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="manager", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        for service in reversed(self.services):
            if service.process is not None:
                end(service)

    def add(self, service: Service) -> Service:
        service.start()
        self.services.append(service)
        return service

    def _tend(self) -> None:
        while not self._closing.wait(0.05):
            for service in list(self.services):
                now = time.monotonic()
                if service.ended is None and not service.is_running:
                    service.end_group()
                    service.ended = now
                elif service.ended is not None and now > service.ended + RESTART_SECONDS:
                    service.start()


def end(service: Service) -> None:
    """End a service for good: terminate it, and kill it if it takes too long."""
    assert service.process is not None
    below = descendants(service.pid)
    for pid in (service.pid, *below):
        send(pid, signal.SIGCONT)
    send(service.pid, service.farewell)
    try:
        service.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        service.process.kill()
        service.process.wait()
    service.end_group()
    for pid in below:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def children() -> dict[int, list[int]]:
    """Return the processes of this machine by their parents."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                # The program's name is in brackets, and may itself contain blanks and brackets.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found.setdefault(int(parent), []).append(int(entry.name))
    return found


def descendants(pid: int) -> list[int]:
    """Return a process's descendants, parents first."""
    by_parent = children()
    found = list(by_parent.get(pid, []))
    for one in found:
        found.extend(by_parent.get(one, []))
    return found


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def with_environment(assignment: str) -> Iterator[int]:
    """Yield the other processes that were started with this assignment in their environment."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if assignment.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def wait_for(condition: Callable[[], object], what: str, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not happen within {seconds:.0f} seconds")
        time.sleep(0.05)
