"""Reading of request bodies in an event loop, without a waiting thread. Bodies that arrive too slowly are refused."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from granian import rsgi

logger = logging.getLogger(__name__)

_BROKEN_OFF: tuple[type[Exception], ...] = (rsgi.ProtocolClosed, rsgi.ProtocolError)  # type: ignore[attr-defined]

# A client that sends no Expect header learns only after sending that its body is too large. Up to this many times the
# limit is read and discarded for it.
DISCARDED = 8


@dataclass(slots=True)
class Body:
    """A complete request body, or an empty one with the status that says why it was not read."""

    file: IO[bytes]
    length: int
    unread: HTTPStatus | None = None


def unread(status: HTTPStatus) -> Body:
    return Body(BytesIO(), 0, status)


class _Reading:
    """A body being received. Beyond the grace that every body has, each byte received extends its deadline."""

    __slots__ = ("received", "started", "task")

    def __init__(self, received: int) -> None:
        self.task = asyncio.current_task()
        self.started = time.monotonic()
        self.received = received

    def is_too_slow(self, now: float) -> bool:
        return now - self.started > settings.BODY_GRACE_SECONDS + self.received / settings.BODY_BYTES_PER_SECOND


class Bodies:
    """All request bodies that this process is reading. Its methods run in the event loop."""

    def __init__(self) -> None:
        # Oldest first.
        self._readings: dict[_Reading, None] = {}

    async def read(self, environ: Mapping[str, Any], protocol: Any, limit: int, *, trailers: bool = False) -> Body:
        """Return the request body of at most ``limit`` bytes, held in memory or, if it is large, on disk.

        ``unread`` is 413 if the body exceeds the limit, 408 if it arrived too slowly, 400 if the connection broke off,
        and 507 if the disk is full. For a body with announced ``trailers`` the server does not report a broken
        connection: its content has to show it.
        """
        length = _length_of(environ)
        if length == 0:
            return Body(BytesIO(), 0)
        if length is not None and length > limit and (length > DISCARDED * limit or "HTTP_EXPECT" in environ):
            return unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        small = length is not None and length <= min(limit, settings.BODY_SPOOL_BYTES)
        # The server reports a small body only once it has arrived.
        reading = _Reading(length if small and length else 0)
        self._begin(reading)
        try:
            if small:
                data = await protocol()
                return Body(BytesIO(data), len(data))
            return await _collect(
                protocol, reading, length, limit, ends=2 if trailers and "HTTP_TRAILER" in environ else 1
            )
        except asyncio.CancelledError:
            if reading in self._readings:
                raise
            return unread(HTTPStatus.REQUEST_TIMEOUT)
        except _BROKEN_OFF:
            return unread(HTTPStatus.BAD_REQUEST)
        except OSError:
            logger.exception("A body could not be stored on disk")
            return unread(HTTPStatus.INSUFFICIENT_STORAGE)
        finally:
            self._readings.pop(reading, None)

    def refuse_slow(self) -> None:
        """Cancel the bodies that arrive too slowly. Call this regularly."""
        now = time.monotonic()
        for reading in [reading for reading in self._readings if reading.is_too_slow(now)]:
            self._give_up(reading)

    def _begin(self, reading: _Reading) -> None:
        self._readings[reading] = None
        if len(self._readings) > settings.BODIES_AT_ONCE:
            # Honest bodies arrive within moments, so the oldest is the likeliest to be held back on purpose.
            self._give_up(next(iter(self._readings)))

    def _give_up(self, reading: _Reading) -> None:
        del self._readings[reading]
        if reading.task is not None:
            reading.task.cancel()


def _length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the declared length, 0 if the request has no body, or None if the length is unknown."""
    # Transfer-Encoding takes precedence over Content-Length if a client sends both.
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    length = environ.get("CONTENT_LENGTH")
    if length is not None:
        return int(length)
    # HTTP/2 marks the end of a body with a flag.
    return None if environ["SERVER_PROTOCOL"] == "HTTP/2" else 0


async def _collect(protocol: Any, reading: _Reading, length: int | None, limit: int, *, ends: int) -> Body:
    file: Any = SpooledTemporaryFile(max_size=settings.BODY_SPOOL_BYTES)  # noqa: SIM115  (the request's end closes it)
    try:
        status = await _fill(file, protocol, reading, length, limit, ends=ends)
    except BaseException:
        file.close()
        raise
    if status is not None:
        file.close()
        return unread(status)
    file.seek(0)
    return Body(file, reading.received)


async def _fill(
    file: IO[bytes], protocol: Any, reading: _Reading, length: int | None, limit: int, *, ends: int
) -> HTTPStatus | None:
    """Write a body to a file; return the status that says why it is not complete, or None."""
    empty = 0
    async for chunk in protocol:
        # The last chunk is empty. So is a chunk that stands for an error or for trailers.
        empty += not chunk
        reading.received += len(chunk)
        if reading.received <= limit:
            file.write(chunk)
        elif reading.received > DISCARDED * limit:
            break
        if empty > ends or reading.received == length:
            break
    if reading.received > limit:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if empty > ends or (length is not None and reading.received < length):
        return HTTPStatus.BAD_REQUEST
    return None
