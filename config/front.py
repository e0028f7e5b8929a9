"""Entry point of the web server: an event loop reads the bodies, and only complete requests get a thread.

Each thread holds a database connection, so there are few. A thread that waited for a client's bytes could be held by
that client.
"""

import asyncio
import functools
import logging
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from config.bodies import Bodies, Body
from config.shares import REFUSED, Client, Clients, Shares
from config.wsgi import application as wsgi
from config.wsgi import body_limit, is_api

logger = logging.getLogger(__name__)

_SAME_FOR_ALL: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class Front:
    """RSGI application on top of the WSGI one. Any event loop can run it."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._bodies = Bodies()
        self._clients = Clients()
        self._requests: Shares[tuple[dict[str, Any], Any, asyncio.Future[None]]] = Shares(
            threads=settings.WEB_THREADS, at_most_waiting=settings.REQUESTS_WAITING
        )
        for target in [self._watch] + [self._work] * settings.WEB_THREADS:
            threading.Thread(target=target, daemon=True).start()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        environ = environ_of(scope)
        api = is_api(environ["PATH_INFO"], environ["HTTP_HOST"])
        # Truncated JSON does not parse, but a truncated form looks like a form.
        body = await self._bodies.read(environ, protocol, body_limit(api), trailers=api)
        _put_in(body, environ)
        answered: asyncio.Future[None] = self._loop.create_future()
        client = self._clients.client_of(environ)
        if not self._requests.put(client, (environ, protocol, answered)):
            environ["arrears.unread"] = 503
            if not self._requests.put(Client(REFUSED, client.name), (environ, protocol, answered)):
                body.file.close()
                protocol.response_empty(503, [("retry-after", "1")])
                return
        await answered

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            self._loop.call_soon_threadsafe(self._bodies.refuse_slow)

    def _work(self) -> None:
        while True:
            group, (environ, protocol, answered) = self._requests.get()
            body = environ["wsgi.input"]
            try:
                _answer(environ, protocol)
            except BaseException:
                logger.exception("A request failed")
                protocol.response_empty(500, [])
            finally:
                self._clients.remember(environ, known_as=group)
                self._requests.done(group)
                body.close()
                self._loop.call_soon_threadsafe(_end, answered)


def _end(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)


def _answer(environ: dict[str, Any], protocol: Any) -> None:
    status: int
    headers: list[tuple[str, str]]

    def start_response(line: str, pairs: list[tuple[str, str]]) -> None:
        nonlocal status, headers
        status, headers = int(line[:3]), pairs

    response: Any = wsgi(environ, start_response)
    try:
        if not response.streaming:
            protocol.response_bytes(status, headers, response.content)
        elif (span := _span_on_disk(response)) is not None:
            # The server sends the file, so that a client that reads slowly holds no thread.
            protocol.response_file_range(status, headers, *span)
        else:
            _stream(response, protocol, status, headers)
    finally:
        # Tells Django that the request has ended.
        response.close()


def _span_on_disk(response: Any) -> tuple[str, int, int] | None:
    """Return a static file's path and the start and end of the requested bytes. Return None for other responses."""
    file = getattr(response, "file_to_stream", None)
    # whitenoise answers a range with a wrapped file, open at the start of the range.
    whole = getattr(file, "fileobj", file)
    path, length = getattr(whole, "name", None), response.get("Content-Length", "")
    if not isinstance(path, str) or not length.isdecimal() or length == "0":
        return None
    start = whole.tell()  # type: ignore[union-attr]  # it has a name, so it is a file
    return path, start, start + int(length)


def _stream(chunks: Iterable[bytes], protocol: Any, status: int, headers: list[tuple[str, str]]) -> None:
    transport = protocol.response_stream(status, headers)
    for chunk in chunks:
        transport.send_bytes(chunk)


@functools.lru_cache(maxsize=1024)
def _variable_of(name: str) -> str | None:
    """Return the WSGI variable of a header.

    Return None for a name with `_`: both `-` and `_` become `_`, so it could impersonate another header.
    """
    if "_" in name:
        return None
    variable = name.upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"


@functools.lru_cache(maxsize=64)
def _server_of(address: str) -> tuple[str, str]:
    name, _, port = address.rpartition(":")
    return name.strip("[]"), port


def _latin(text: str) -> str:
    """Return text as WSGI represents it: the bytes of its UTF-8 encoding, decoded as Latin-1."""
    return text if text.isascii() else text.encode().decode("latin-1")


def environ_of(scope: Any) -> dict[str, Any]:
    """Return the WSGI environment of a request, without its body."""
    environ = _SAME_FOR_ALL.copy()
    environ["REQUEST_METHOD"] = scope.method
    environ["PATH_INFO"] = _latin(scope.path)
    environ["QUERY_STRING"] = _latin(scope.query_string)
    environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _server_of(scope.server)
    environ["REMOTE_ADDR"] = scope.client.rpartition(":")[0].strip("[]")
    environ["wsgi.url_scheme"] = scope.scheme
    # Read the headers once: each access copies them.
    _add_headers(environ, scope.headers)
    if "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority or ""
    return environ


def _add_headers(environ: dict[str, Any], headers: Any) -> None:
    pairs = headers.items()
    for name, value in pairs:
        variable = _variable_of(name)
        if variable is None:
            continue
        if variable not in environ:
            environ[variable] = value
        elif variable == "HTTP_COOKIE":
            environ[variable] += f"; {value}"
        elif variable != "CONTENT_TYPE":
            environ[variable] += f",{value}"
    if len(headers) != len(dict(pairs)):
        _add_unreadable(environ, headers)


def _add_unreadable(environ: dict[str, Any], headers: Any) -> None:
    # The server leaves out header values with bytes beyond ASCII. Record that they were sent: a request with an
    # unreadable idempotency key must not be answered as if it had none.
    for name in headers:
        variable = _variable_of(name)
        if variable is not None:
            # Django decodes cookies as Latin-1 at least.
            environ.setdefault(variable, "" if variable == "HTTP_COOKIE" else "\N{REPLACEMENT CHARACTER}")


def _put_in(body: Body, environ: dict[str, Any]) -> None:
    """Add the body to the environment, with its length, whatever the transfer encoding was."""
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = body.file, str(body.length)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if body.unread is not None:
        environ["arrears.unread"] = body.unread


application = Front()
