"""Fair queue for requests that wait for a thread: clients take turns, and none holds all threads.

A client is known once one of its requests was authenticated: its credentials are then remembered as sent. All other
clients are strangers. They are told apart by address and share few threads, whatever key they send.
"""

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Item = TypeVar("Item")

# Key of the WSGI environment under which an API or a page names the authenticated client.
CLIENT = "arrears.client"
STRANGERS = "strangers"
REFUSED = "refused"
REMEMBERED = 10_000
_CREDENTIALS = ("HTTP_AUTHORIZATION", "HTTP_X_SALESBRICKS_KEY", "HTTP_REB_APIKEY")
_SESSION = re.compile(rf"(?:^|; ?){re.escape(settings.SESSION_COOKIE_NAME)}=([^;]{{1,100}})")


class Client(NamedTuple):
    """Sender of a request.

    A ``group`` has a share of the threads; within it, requests of different ``name`` take turns.
    """

    group: str
    name: str


class Clients:
    """Clients by the credentials that their requests carry."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._lock = threading.Lock()

    def client_of(self, environ: dict[str, Any]) -> Client:
        group = self._known.get(_carried(environ))
        return Client(group, group) if group else Client(STRANGERS, environ["REMOTE_ADDR"])

    def remember(self, environ: dict[str, Any], *, known_as: str) -> None:
        """Remember the client of an authenticated request unless it is known.

        ``known_as`` is the group that the request had.
        """
        group = environ.get(CLIENT)
        if group in (None, known_as):
            return
        with self._lock:
            self._known[_carried(environ)] = group
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _carried(environ: dict[str, Any]) -> tuple[str, ...]:
    session = _SESSION.search(environ.get("HTTP_COOKIE", ""))
    return (*(environ.get(name, "") for name in _CREDENTIALS), session.group(1) if session else "")


def tell_who_is_logged_in(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Name the logged-in user as the client, if the page has loaded the user."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        user = getattr(request, "_cached_user", None)
        if user is not None and user.is_authenticated:
            request.META[CLIENT] = f"user {user.pk}"
        return response

    return middleware


class _Group(Generic[Item]):
    def __init__(self) -> None:
        self.at_work = 0
        self.waiting: OrderedDict[str, deque[Item]] = OrderedDict()

    def next(self) -> Item:
        name, items = self.waiting.popitem(last=False)
        item = items.popleft()
        if items:
            self.waiting[name] = items
        return item


class Shares(Generic[Item]):
    """Queue that serves groups in turn, each with no more items at work than its share.

    A group whose requests are slow, or that sends thousands at once, delays only itself, and its queue is bounded. Of
    ``threads`` consumers, strangers get a quarter; any other group leaves one free beside these. Call ``done`` when an
    item is finished.
    """

    def __init__(self, *, threads: int, at_most_waiting: int) -> None:
        strangers = max(1, (threads - 1) // 4)
        self._shares = {STRANGERS: strangers, REFUSED: 1}
        self._share = max(1, threads - strangers - 1)
        self._at_most_waiting = at_most_waiting
        self._changed = threading.Condition()
        self._groups: dict[str, _Group[Item]] = {}
        # Groups that have items waiting and are below their share, each once.
        self._next: deque[str] = deque()

    def put(self, client: Client, item: Item) -> bool:
        """Enqueue an item. Return False without enqueuing it if too many of its client's items are waiting."""
        with self._changed:
            group = self._groups.setdefault(client.group, _Group())
            was_waiting = bool(group.waiting)
            items = group.waiting.setdefault(client.name, deque())
            if len(items) >= self._at_most_waiting:
                return False
            items.append(item)
            if not was_waiting and group.at_work < self._share_of(client.group):
                self._offer(client.group)
            return True

    def get(self) -> tuple[str, Item]:
        """Wait for the next item and return its group and the item."""
        with self._changed:
            while not self._next:
                self._changed.wait()
            name = self._next.popleft()
            group = self._groups[name]
            item = group.next()
            group.at_work += 1
            if group.waiting and group.at_work < self._share_of(name):
                self._offer(name)
            return name, item

    def done(self, name: str) -> None:
        with self._changed:
            group = self._groups[name]
            was_full = group.at_work == self._share_of(name)
            group.at_work -= 1
            if group.waiting:
                if was_full:
                    self._offer(name)
            elif not group.at_work:
                del self._groups[name]

    def _offer(self, name: str) -> None:
        self._next.append(name)
        self._changed.notify()

    def _share_of(self, name: str) -> int:
        return self._shares.get(name, self._share)
