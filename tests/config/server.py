"""The program's web server in its own process, and requests as raw bytes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

WITHOUT = {"DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS", "CELERY_BROKER_URL"}


def embedded(var: Path, **settings: Any) -> dict[str, str]:
    """Return the environment of a server on SQLite, with its own folder and settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in WITHOUT}
    return inherited | {"ARREARS_VAR": str(var)} | {name: str(value) for name, value in settings.items()}


def manage(env: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=120).stdout


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(env: Mapping[str, str], *command: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start the web server or the given command, wait until it answers, and stop it at the end."""
    port = free_port()
    options = ["--port", str(port), "--log-level", "error"]
    module, *target = command or ("config.web",)
    process = subprocess.Popen([sys.executable, "-m", module, *options, *target], env=env)
    try:
        wait_until(lambda: answers(port))
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/healthz", timeout=2).status == 200
    except OSError:
        return False


def connect(port: int, data: bytes = b"", timeout: float = 10) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    connection.sendall(data)
    return connection


def head(method: str, path: str, headers: Mapping[str, Any] | None = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def read(connection: socket.socket, method: str = "GET") -> HTTPResponse:
    """Return the response, with its body read into ``.body``."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    response.body = response.read()  # type: ignore[attr-defined]
    return response


def ask(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    timeout: float = 10,
) -> Any:
    length = {} if body is None else {"Content-Length": len(body)}
    with connect(port, head(method, path, {**(headers or {}), **length}) + (body or b""), timeout) as connection:
        return read(connection, method)


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
