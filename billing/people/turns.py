"""Limit concurrency of work that is slow on purpose: hashing few passwords at a time leaves cores for requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Busy(Exception):
    """The wait for others would be too long, or an earlier request of the same client is still running."""

    retry_after = 1

    def __init__(self, *, has_turn: bool = False) -> None:
        reason = "Your previous request is still being processed." if has_turn else "Others are logging in right now."
        super().__init__(f"{reason} Try again in a moment.")


class Turns:
    """Limiter for one process: ``at_a_time`` threads work and as many wait, each for up to ``seconds``.

    No name has two turns, so that one client with many requests can't fill the queue.
    """

    def __init__(self, *, at_a_time: int, seconds: float) -> None:
        self._at_work = threading.Semaphore(at_a_time)
        self._inside = threading.Semaphore(2 * at_a_time)
        self._seconds = seconds
        self._names: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Wait for a turn and hold it; raise ``Busy`` if too many are waiting or ``name`` already has a turn."""
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
