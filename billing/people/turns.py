"""Turns at work that is meant to be slow: one password is hashed at a time, so that requests keep the other cores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Busy(Exception):
    """Others are at it, and the wait would be too long; or what the same one has sent before is still at work."""

    retry_after = 1

    def __init__(self, *, has_turn: bool = False) -> None:
        told = "What was sent from here before is still at work." if has_turn else "Others are logging in right now."
        super().__init__(f"{told} Try again in a moment.")


class Turns:
    """Lets ``at_a_time`` of a process's threads work, and as many wait for ``seconds`` at most.

    Nobody has two turns: who sends many requests at once does not fill the queue for all.
    """

    def __init__(self, *, at_a_time: int, seconds: float) -> None:
        self._at_work = threading.Semaphore(at_a_time)
        self._inside = threading.Semaphore(2 * at_a_time)
        self._seconds = seconds
        self._names: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Wait for a turn and hold it; raise ``Busy`` where too many wait, or where ``name`` has one."""
        with self._lock:
            if name in self._names:
                raise Busy(has_turn=True)
            if not self._inside.acquire(blocking=False):
                raise Busy
            self._names.add(name)
        try:
            if not self._at_work.acquire(timeout=self._seconds):
                raise Busy
            try:
                yield
            finally:
                self._at_work.release()
        finally:
            with self._lock:
                self._names.discard(name)
            self._inside.release()
