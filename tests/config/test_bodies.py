"""Bodies of requests, read in an event loop: whole, or refused with the status that says why."""

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

import pytest
from granian import rsgi

from config.bodies import DISCARDED, Bodies, Body

pytestmark = pytest.mark.once

CLOSED, ERROR = rsgi.ProtocolClosed, rsgi.ProtocolError  # type: ignore[attr-defined]  # it declares no names
LIMIT = 10
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


class Sent:
    """What a client sends: chunks, of which the server reports a small body at once; an error breaks it off."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.read = 0

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            self.read += len(chunk)
            yield chunk


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.BODY_SPOOL_BYTES = 4
    settings.BODY_GRACE_SECONDS, settings.BODY_BYTES_PER_SECOND = 60, 1000
    settings.BODIES_AT_ONCE = 100


def read(sent: Any, environ: dict[str, str], **options: bool) -> Body:
    request = {"SERVER_PROTOCOL": "HTTP/1.1", **environ}
    return asyncio.run(Bodies().read(request, sent, LIMIT, **options))


def outcome(body: Body) -> tuple[bytes, HTTPStatus | None]:
    with body.file as file:
        content = file.read()
    assert len(content) == body.length
    return content, body.unread


@pytest.mark.parametrize(
    ("environ", "chunks", "content"),
    [
        ({}, [], b""),
        ({"CONTENT_LENGTH": "0"}, [], b""),
        ({"CONTENT_LENGTH": "3"}, [b"abc"], b"abc"),
        # Longer than what is held in memory, up to the limit.
        ({"CONTENT_LENGTH": "10"}, [b"abcdef", b"ghij"], b"abcdefghij"),
        (CHUNKED, [b"abc", b"def", b""], b"abcdef"),
        # Of two lengths, the encoding holds.
        ({**CHUNKED, "CONTENT_LENGTH": "2"}, [b"abc", b""], b"abc"),
        ({"SERVER_PROTOCOL": "HTTP/2"}, [b"abc", b""], b"abc"),
    ],
)
def test_a_body_is_read_to_its_end(environ, chunks, content):
    assert outcome(read(Sent(*chunks), environ)) == (content, None)


@pytest.mark.parametrize(
    ("environ", "chunks", "status"),
    [
        ({"CONTENT_LENGTH": "11"}, [b"abc", b"defghijk"], HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (CHUNKED, [b"abc", b"defghijk", b""], HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"CONTENT_LENGTH": "10"}, [b"abc"], HTTPStatus.BAD_REQUEST),
        ({"CONTENT_LENGTH": "3"}, [CLOSED()], HTTPStatus.BAD_REQUEST),
        (CHUNKED, [b"abc", ERROR()], HTTPStatus.BAD_REQUEST),
        # A further empty chunk stands for an error.
        (CHUNKED, [b"abc", b"", b""], HTTPStatus.BAD_REQUEST),
        ({"CONTENT_LENGTH": "10"}, [b"abc", OSError(28, "No space left")], HTTPStatus.INSUFFICIENT_STORAGE),
    ],
)
def test_a_body_that_is_not_whole_or_too_large_is_refused(environ, chunks, status):
    assert outcome(read(Sent(*chunks), environ)) == (b"", status)


def test_trailers_that_are_announced_are_no_error():
    chunks, environ = (b"abc", b"", b""), {**CHUNKED, "HTTP_TRAILER": "Digest"}

    assert outcome(read(Sent(*chunks), environ, trailers=True)) == (b"abc", None)
    assert outcome(read(Sent(*chunks), environ)) == (b"", HTTPStatus.BAD_REQUEST)


@pytest.mark.parametrize(
    ("environ", "length"), [({"HTTP_EXPECT": "100-continue"}, LIMIT + 1), ({}, DISCARDED * LIMIT + 1)]
)
def test_nothing_is_read_for_who_asks_first_or_would_send_very_much(environ, length):
    sent = Sent(b"x" * length)

    body = read(sent, {**environ, "CONTENT_LENGTH": str(length)})

    assert (body.unread, sent.read) == (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 0)


def test_of_a_body_without_end_so_much_is_discarded_and_no_more():
    sent = Sent(*[b"x" * (LIMIT + 1)] * 1000)

    assert read(sent, CHUNKED).unread == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert DISCARDED * LIMIT < sent.read <= (DISCARDED + 2) * LIMIT


class Held:
    """A body of which nothing comes."""

    async def __call__(self) -> bytes:
        await asyncio.Event().wait()
        return b""


def held_back(then: Callable[[Bodies], Any]) -> list[HTTPStatus | None]:
    """Begin to read a body of which nothing comes, and return what becomes of it."""

    async def run() -> list[HTTPStatus | None]:
        bodies = Bodies()
        environ = {"SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": "3"}
        first = asyncio.create_task(bodies.read(environ, Held(), LIMIT))
        await asyncio.sleep(0)
        outcome = then(bodies)
        others = [await outcome] if outcome is not None else []
        done, waiting = await asyncio.wait([first], timeout=0.05)
        for task in waiting:
            task.cancel()
        return [*(task.result().unread for task in done), *(body.unread for body in others)]

    return asyncio.run(run())


def test_a_body_that_comes_too_slowly_is_given_up(settings):
    assert held_back(lambda bodies: bodies.refuse_slow()) == []

    settings.BODY_GRACE_SECONDS = -1
    assert held_back(lambda bodies: bodies.refuse_slow()) == [HTTPStatus.REQUEST_TIMEOUT]


def test_of_too_many_bodies_the_oldest_is_given_up(settings):
    settings.BODIES_AT_ONCE = 1
    environ = {"SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": "3"}

    told = held_back(lambda bodies: bodies.read(environ, Sent(b"abc"), LIMIT))

    assert told == [HTTPStatus.REQUEST_TIMEOUT, None]
