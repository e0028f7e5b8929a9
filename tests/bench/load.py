"""HTTP load over kept-alive connections, light enough to leave the machine to the server."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile


@dataclass(frozen=True)
class Target:
    """Request to send. ``body(n)`` returns the JSON of the n-th request, so that each reports another record.

    A response that contains ``refusal`` recorded nothing, even with the expected status.
    """

    path: str
    headers: Mapping[str, str]
    body: Callable[[int], str]
    expected_status: int = 201
    refusal: bytes = b'"errors"'


def requests_a_second(target: Target, *, port: int, seconds: float, connections: int = 16, first: int) -> float:
    """Return how many requests per second are answered. Raise on any unexpected response."""
    until = time.perf_counter() + seconds
    numbers = takewhile(lambda _: time.perf_counter() < until, count(first))
    bodies = (target.body(n) for n in numbers)
    answered, took = asyncio.run(_send_all(target, port, bodies, connections))
    return answered / took


def seconds_for(target: Target, bodies: Sequence[str], *, port: int, connections: int) -> float:
    """Send each body once and return how long it took. Raise on any unexpected response."""
    _, took = asyncio.run(_send_all(target, port, iter(bodies), connections))
    return took


async def _send_all(target: Target, port: int, bodies: Iterator[str], connections: int) -> tuple[int, float]:
    begun = time.perf_counter()
    counts = await asyncio.gather(*(_send(target, port, bodies) for _ in range(connections)))
    return sum(counts), time.perf_counter() - begun


async def _send(target: Target, port: int, bodies: Iterator[str]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    headers = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    start = f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    answered = 0
    for body in bodies:
        writer.write(f"{start}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await _read_answer(reader, target)
        answered += 1
    writer.close()
    return answered


async def _read_answer(reader: asyncio.StreamReader, target: Target) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    body = await reader.readexactly(length)
    if int(head[9:12]) != target.expected_status or target.refusal in body:
        raise RuntimeError(f"The server answered {head[9:12].decode()}: {body[:500].decode()}")
