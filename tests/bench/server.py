"""A web server as production has it, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

PORTS = count(8951)


@contextmanager
def serving(application: str, settings: str) -> Iterator[int]:
    """Start a server and give its port; stop it in the end."""
    port = next(PORTS)
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws", "--log-level", "warning"]
    options += ["--blocking-threads", "8", "--backpressure", "64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, application],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": settings},
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The server did not start.")
