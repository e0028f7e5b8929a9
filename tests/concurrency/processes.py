"""The program's own processes, on the test database and with their own message broker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests import services


def environment(var: Path, *, broker: str) -> dict[str, str]:
    """Return production settings for a child process that shares this test's PostgreSQL database."""
    server = urlsplit(services.POSTGRES_URL)
    return os.environ | {
        "DATABASE_URL": urlunsplit(server._replace(path=f"/{connection.settings_dict['NAME']}")),
        "CELERY_BROKER_URL": broker,
        "ARREARS_VAR": str(var),
        "CLOSE_HEARTBEAT_SECONDS": "1",
        "CLOSE_BATCH": "4",
        "CLOSE_WORKERS": "1",
    }


def call(*arguments: str, env: dict[str, str]) -> str:
    """Run a command of the program to its end and return its output."""
    done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def worker(env: dict[str, str], *, pool: str = "solo") -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker, by default with one process. Stop it at the end if it still runs."""
    options = [
        f"--pool={pool}",
        "--concurrency=1",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "--loglevel=WARNING",
    ]
    process = subprocess.Popen([sys.executable, "-m", "celery", "-A", "config", "worker", *options], env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], *, seconds: float = 45) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
