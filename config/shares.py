"""Requests that wait for a thread: clients take turns, and none of them holds all threads."""

import threading
from collections import Counter, deque
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

# What a client is known by where its request has none of these: its address.
CREDENTIALS = ("HTTP_AUTHORIZATION", "HTTP_X_SALESBRICKS_KEY", "HTTP_REB_APIKEY", "HTTP_COOKIE")


def client_of(environ: dict[str, Any]) -> str:
    """Return what tells a request's client from others, before anybody has looked whether it is let in."""
    for name in CREDENTIALS:
        if text := environ.get(name):
            return str(text)
    return str(environ["REMOTE_ADDR"])


class Shares(Generic[Item]):
    """A queue that gives the waiting clients' items in turns, and of one client at most ``at_most`` at a time.

    So one whose requests take long, or who sends thousands at once, waits for itself. ``done`` has to be called when an
    item's work is over.
    """

    def __init__(self, *, at_most: int) -> None:
        self._at_most = at_most
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Item]] = {}
        self._at_work: Counter[str] = Counter()
        # The clients that have something waiting and may have more at work, each once.
        self._next: deque[str] = deque()

    def put(self, client: str, item: Item) -> None:
        with self._changed:
            waiting = self._waiting.get(client)
            if waiting is not None:
                waiting.append(item)
                return
            self._waiting[client] = deque([item])
            if self._at_work[client] < self._at_most:
                self._next.append(client)
                self._changed.notify()

    def get(self) -> tuple[str, Item]:
        """Wait for the next item, and return it with its client."""
        with self._changed:
            while not self._next:
                self._changed.wait()
            client = self._next.popleft()
            waiting = self._waiting[client]
            item = waiting.popleft()
            self._at_work[client] += 1
            if not waiting:
                del self._waiting[client]
            elif self._at_work[client] < self._at_most:
                self._next.append(client)
                self._changed.notify()
            return client, item

    def done(self, client: str) -> None:
        with self._changed:
            was_full = self._at_work[client] == self._at_most
            self._at_work[client] -= 1
            if not self._at_work[client]:
                del self._at_work[client]
            if was_full and client in self._waiting:
                self._next.append(client)
                self._changed.notify()
