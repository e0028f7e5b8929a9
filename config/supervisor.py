"""Start everything on this machine: `python -m config.supervisor`.

Prepares the database, then runs three child processes: web, worker and schedule. A child that exits is restarted;
Ctrl-C or SIGTERM stops all of them. Each child has a session of its own, because a Celery worker hangs if its whole
process group is signalled: only its main process may be.
"""

import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any
from urllib.request import Request, urlopen

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import Error as DatabaseFailure
from django.db import connections
from django.utils import timezone

from usage.server_address import origin, published_in

HOST = os.environ.get("HOST") or "127.0.0.1"
PORT = os.environ.get("PORT") or "8000"
CELERY = [sys.executable, "-m", "celery", "--app", "config", "--quiet"]
COMMANDS = {
    "web": [sys.executable, "-m", "config.web", "--host", HOST, "--port", PORT, "--log-level", "warning"],
    "worker": [*CELERY, "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "INFO"]
    + ["--without-gossip", "--without-mingle", "--without-heartbeat"],
    "schedule": [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile="],
}
COLOURS = {"web": "36", "worker": "33", "schedule": "35"}
ORIGIN = origin(host=HOST, port=PORT)
GRACE_SECONDS = 10
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def say(name: str, line: str) -> None:
    label = f"{name:<8} |"
    if sys.stdout.isatty():
        label = f"\033[{COLOURS[name]}m{label}\033[0m"
    print(label, line, flush=True)


def die_with_parent() -> None:
    """Ask Linux to terminate this child when the supervisor is killed, so that no child keeps the port."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def require_free_port() -> None:
    if not PORT.isascii() or not PORT.isdigit() or not 0 < int(PORT) < 65536:
        sys.exit(f"PORT={PORT!r} is not a port: use a number from 1 to 65535.")
    try:
        socket.create_server((HOST, int(PORT))).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        sys.exit(f"Cannot listen on {HOST}:{PORT}: {reason}. Choose another: make run PORT=8001")


def prepare() -> dict[str, Any] | None:
    """Migrate, and in embedded mode load the demo into an empty database.

    Return how to use the demo, if there is one.
    """
    # Models can be imported only after django.setup.
    from billing.models import Workspace  # noqa: PLC0415
    from usage import demo  # noqa: PLC0415

    call_command("migrate", interactive=False, verbosity=0)
    if settings.STATIC_COLLECTED:
        call_command("collectstatic", interactive=False, verbosity=0)
    # A production database never gets a demo by itself, nor passwords in its logs.
    if settings.EMBEDDED and not Workspace.objects.exists():
        print("Filling the empty database with a demo workspace ...", flush=True)
        demo.load(as_of=timezone.now())
    facts = demo.facts() if settings.EMBEDDED and demo.find() else None
    connections.close_all()
    return facts


def welcome(demo: dict[str, Any] | None) -> str:
    lines = [f"\nArrears is ready: {ORIGIN}/admin/\n"]
    if demo:
        piriod = demo["dialects"]["piriod"]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        usage = {"subscription_line": piriod["subscription_line"], "date_time": now, "quantity": 5}
        headers = {**piriod["headers"], "Content-Type": "application/json"}
        lines += [
            *(f"  {login['role']:<14} {login['username']} / {login['password']}" for login in demo["logins"]),
            "\nReport usage to the demo workspace, as a client of Piriod does:\n",
            f"curl {ORIGIN}{piriod['base_url']}/usages/ \\",
            *(f"  -H {shlex.quote(f'{name}: {value}')} \\" for name, value in headers.items()),
            f"  -d {shlex.quote(json.dumps(usage))}\n",
        ]
    return "\n".join([*lines, "Stop with Ctrl-C.\n"])


def is_healthy() -> bool:
    allowed = settings.ALLOWED_HOSTS[0]
    host = "localhost" if allowed == "*" else allowed.lstrip(".")
    try:
        urlopen(Request(f"{ORIGIN}/healthz", headers={"Host": host}), timeout=1).close()
    except OSError:
        return False
    return True


def relay(name: str, output: IO[str]) -> None:
    for line in output:
        if line.strip():
            say(name, line.rstrip())


class Child:
    def __init__(self, name: str) -> None:
        self.name = name
        self.pause = 1
        self.start()

    def start(self) -> None:
        self.due: float | None = None
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            COMMANDS[self.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", "ARREARS_SUPERVISOR": str(os.getpid())},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        threading.Thread(target=relay, args=(self.name, self.process.stdout), daemon=True).start()

    def tend(self) -> None:
        """Restart the child if it has exited.

        The delay doubles, up to 30 seconds, while the child does not last a minute.
        """
        now = time.monotonic()
        if self.due is None and self.process.poll() is not None:
            self.end_session()
            self.pause = 1 if now - self.started > 60 else min(self.pause * 2, 30)
            self.due = now + self.pause
            say(self.name, f"ended (exit code {self.process.returncode}); starts again in {self.pause} s")
        elif self.due is not None and now >= self.due:
            self.start()

    def end_session(self) -> None:
        """Kill the rest of the child's session, including the child itself if it did not stop in time."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def stop(children: list[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0, deadline - time.monotonic()))
        child.end_session()


def supervise(demo: dict[str, Any] | None) -> None:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    children = [Child(name) for name in COMMANDS]
    message = welcome(demo)
    while not stopping.wait(0.2):
        for child in children:
            child.tend()
        if message and is_healthy():
            print(message, flush=True)
            message = ""
    print("\nStopping ...", flush=True)
    stop(children)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    require_free_port()
    try:
        django.setup()
        demo = prepare()
    except (ImproperlyConfigured, DatabaseFailure) as error:
        sys.exit(f"Cannot start: {error}")
    with published_in(settings.VAR, ORIGIN):
        supervise(demo)


if __name__ == "__main__":
    main()
