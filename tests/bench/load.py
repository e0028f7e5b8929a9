"""A load of HTTP requests over kept-alive connections, light enough to leave the machine to the server."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What is sent: ``body(n)`` makes the n-th request's JSON, so that each is another record."""

    path: str
    headers: Mapping[str, str]
    body: Callable[[int], str]
    expected_status: int = 201


def requests_a_second(target: Target, *, port: int, seconds: float, connections: int = 16, first: int) -> float:
    """Send as many requests as get answered in that time; raise on any other answer than the expected one."""
    return asyncio.run(_send_all(target, port, seconds, connections, first))


async def _send_all(target: Target, port: int, seconds: float, connections: int, first: int) -> float:
    numbers = iter(range(first, 10**12))
    begun = time.perf_counter()
    counts = await asyncio.gather(*(_send(target, port, begun + seconds, numbers) for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - begun)


async def _send(target: Target, port: int, until: float, numbers: Iterator[int]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    start = f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    answered = 0
    while time.perf_counter() < until:
        body = target.body(next(numbers))
        writer.write(f"{start}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await _read_answer(reader, target.expected_status)
        answered += 1
    writer.close()
    return answered


async def _read_answer(reader: asyncio.StreamReader, expected: int) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    body = await reader.readexactly(length)
    if int(head[9:12]) != expected:
        raise RuntimeError(f"The server answered {head[9:12].decode()}: {body.decode()}")
