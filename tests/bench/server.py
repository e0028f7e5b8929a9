"""Web server as in production, in its own process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from tests import services

PORTS = count(8951)


THREADS = 8
PROGRAM = ["config.web"]
# The minimal server: it calls the view in the thread that receives the request.
_PLAIN = ["granian", "--interface", "wsgi", "--no-ws", "--blocking-threads", str(THREADS), "--backpressure", "64"]
BARE = [*_PLAIN, "tests.bench.bare:application"]
# The program without its front.
BEHIND = [*_PLAIN, "config.wsgi:application"]


@contextmanager
def serving(command: Sequence[str], settings: str) -> Iterator[int]:
    """Start a server of one process, yield its port, and stop it at the end."""
    port = next(PORTS)
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"],
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": settings, "WEB_THREADS": str(THREADS), "CELERY_BROKER_URL": services.NO_BROKER},
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
