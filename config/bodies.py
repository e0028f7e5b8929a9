"""Reading bodies without a thread that waits for them: as fast as they come, refusing what comes too slowly."""

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

# A client learns that its body is too large only once it has sent it, unless it asks before. So much is read for it.
DISCARDED = 8


@dataclass(slots=True)
class Body:
    """A whole body; or an empty one and the status of why it was not read."""

    file: IO[bytes]
    length: int
    unread: HTTPStatus | None = None


def unread(status: HTTPStatus) -> Body:
    return Body(BytesIO(), 0, status)


class _Reading:
    """One body on its way: ``received`` earns it time at the slowest rate, beyond the grace that all have."""

    __slots__ = ("received", "started", "task")

    def __init__(self, received: int) -> None:
        self.task = asyncio.current_task()
        self.started = time.monotonic()
        self.received = received

    def is_too_slow(self, now: float) -> bool:
        return now - self.started > settings.BODY_GRACE_SECONDS + self.received / settings.BODY_BYTES_PER_SECOND


class Bodies:
    """All bodies that are being read by this process. Its methods run in the event loop."""

    def __init__(self) -> None:
        # In the order of their beginning.
        self._readings: dict[_Reading, None] = {}

    async def read(self, environ: Mapping[str, Any], protocol: Any, limit: int, *, trailers: bool = False) -> Body:
        """Return the request's body of at most ``limit`` bytes, in memory or, where it is large, on disk.

        ``unread`` is 413 beyond the limit, 408 where it came too slowly, 400 where it broke off, and 507 where there
        is no room on disk. Of a body with ``trailers`` that are announced, nobody learns whether it broke off: what it
        holds has to tell.
        """
        length = _length_of(environ)
        if length == 0:
            return Body(BytesIO(), 0)
        if length is not None and length > limit and (length > DISCARDED * limit or "HTTP_EXPECT" in environ):
            return unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        small = length is not None and length <= min(limit, settings.BODY_SPOOL_BYTES)
        # The server tells of a small one's arrival only once it is there.
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
            logger.exception("A body could not be kept on disk")
            return unread(HTTPStatus.INSUFFICIENT_STORAGE)
        finally:
            self._readings.pop(reading, None)

    def refuse_slow(self) -> None:
        """Give up the bodies that come too slowly. To be called now and then."""
        now = time.monotonic()
        for reading in [reading for reading in self._readings if reading.is_too_slow(now)]:
            self._give_up(reading)

    def _begin(self, reading: _Reading) -> None:
        self._readings[reading] = None
        if len(self._readings) > settings.BODIES_AT_ONCE:
            # Honest ones are there in a moment, so the oldest is the likeliest to be held back.
            self._give_up(next(iter(self._readings)))

    def _give_up(self, reading: _Reading) -> None:
        del self._readings[reading]
        if reading.task is not None:
            reading.task.cancel()


def _length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the length that the request declares, 0 where it has no body, or None where it will be seen."""
    # It counts, where a client sends both.
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    length = environ.get("CONTENT_LENGTH")
    if length is not None:
        return int(length)
    # HTTP/2 ends a body by a flag.
    return None if environ["SERVER_PROTOCOL"] == "HTTP/2" else 0


async def _collect(protocol: Any, reading: _Reading, length: int | None, limit: int, *, ends: int) -> Body:
    file: Any = SpooledTemporaryFile(max_size=settings.BODY_SPOOL_BYTES)  # noqa: SIM115  (the request's end closes it)
    empty = 0
    async for chunk in protocol:
        # The last is empty. So is one that stands for an error, or for trailers.
        empty += not chunk
        reading.received += len(chunk)
        if reading.received <= limit:
            file.write(chunk)
        elif reading.received > DISCARDED * limit:
            break
        if empty > ends or reading.received == length:
            break
    if reading.received > limit:
        return unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if empty > ends or (length is not None and reading.received < length):
        return unread(HTTPStatus.BAD_REQUEST)
    file.seek(0)
    return Body(file, reading.received)
