"""What load balancers and monitors ask: is the process alive, its database there, and all that is behind it?

It is answered before anything looks at the host: a probe knows us by an address.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueFailure

from config.celery import app
from usage import schedule, tasks

# For so long an answer about what is behind us is given again: asking it often costs others nothing.
KEPT_SECONDS = 2
RETRY_AFTER = {"Retry-After": "5"}
# Of what can be read and not written, such as a copy that follows another, or is full.
REFUSES = "refuses writes"
_TRIED = "arrears-readyz"


def answer_probes(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer the paths of probes whatever the host, and leave all others to the rest."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        if probe is None:
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return probe()

    return middleware


def livez() -> JsonResponse:
    """The process answers. To start it again helps where it does not, and not where the database is away."""
    return JsonResponse({"status": "ok"})


def healthz() -> JsonResponse:
    """The process answers, and so does its database."""
    if (found := database()["status"]) != "ok":
        return JsonResponse({"status": f"database {found}"}, status=503, headers=RETRY_AFTER)
    return JsonResponse({"status": "ok"})


def readyz() -> JsonResponse:
    """Each part by itself. Without its database a web process is of no use; all else can wait while it takes usage."""
    found = _readiness.found()
    if found["status"] == "unavailable":
        return JsonResponse(found, status=503, headers=RETRY_AFTER)
    return JsonResponse(found)


PROBES = {"/livez": livez, "/healthz": healthz, "/readyz": readyz}


def database() -> dict[str, Any]:
    """Ask the database for nothing but whether it takes changes."""
    is_server = connection.vendor == "postgresql"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')" if is_server else "SELECT 'off'")
            (is_read_only,) = cursor.fetchone()
    except DatabaseFailure:
        return {"status": "unavailable"}
    return {"status": REFUSES if is_read_only == "on" else "ok"}


def queue() -> dict[str, Any]:
    """Reach the queue's server, or its folder, and see whether it takes what is sent: a Redis that is full does not."""
    try:
        with app.connection_for_write() as connected:
            connected.ensure_connection(max_retries=1, timeout=1)
            channel = connected.default_channel
            if isinstance(client := getattr(channel, "client", None), redis.Redis):
                client.set(_TRIED, "", px=1)
    except redis.ResponseError:
        return {"status": REFUSES}
    except (QueueFailure, OSError):
        return {"status": "unavailable"}
    return {"status": "ok"}


def last_sweep(*, as_of: datetime) -> dict[str, Any]:
    """Tell when the schedule's sweep last ran through, which takes the schedule, the queue and a worker."""
    try:
        swept_at = schedule.last_turn(task=tasks.sweep.name)
    except DatabaseFailure:
        return {"status": "unknown", "last_sweep_at": None, "age_seconds": None}
    if swept_at is None:
        return {"status": "never", "last_sweep_at": None, "age_seconds": None}
    age = max(0, int((as_of - swept_at).total_seconds()))
    status = "ok" if age <= settings.SWEEP_LATE_SECONDS else "late"
    return {"status": status, "last_sweep_at": swept_at.isoformat(), "age_seconds": age}


def readiness(*, as_of: datetime) -> dict[str, Any]:
    """Return the state of the whole - ok, degraded or unavailable - and of each part."""
    parts = {"database": database(), "queue": queue(), "schedule": last_sweep(as_of=as_of)}
    if parts["database"]["status"] != "ok":
        status = "unavailable"
    else:
        status = "ok" if all(part["status"] == "ok" for part in parts.values()) else "degraded"
    return {"status": status, **parts}


class _Readiness:
    """The last answer, and who is about to find the next: of many that ask at once one looks, and none waits for it."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._found: dict[str, Any] | None = None
        self._until = 0.0

    def found(self) -> dict[str, Any]:
        if self._found is not None and time.monotonic() < self._until:
            return self._found
        if not self._looking.acquire(blocking=self._found is None):
            return self._found or {}
        try:
            self._found = readiness(as_of=timezone.now())
            self._until = time.monotonic() + KEPT_SECONDS
            return self._found
        finally:
            self._looking.release()

    def forget(self) -> None:
        self._until = 0.0


_readiness = _Readiness()
