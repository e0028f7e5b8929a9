"""Health checks for load balancers and monitors: liveness, the database, and readiness of every part.

They are answered before the host is checked, because a probe addresses the process by IP address.
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

# How long an answer of /readyz is cached, so that frequent probes cost the other services nothing.
KEPT_SECONDS = 2
RETRY_AFTER = {"Retry-After": "5"}
# Status of a service that can be read but not written, such as a read replica or a full disk.
REFUSES = "refuses writes"
_TRIED = "arrears-readyz"


def answer_probes(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer health checks whatever the host, and pass on all other requests."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        if probe is None:
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return probe()

    return middleware


def livez() -> JsonResponse:
    """Report that the process responds. It does not depend on the database: a restart would not bring that back."""
    return JsonResponse({"status": "ok"})


def healthz() -> JsonResponse:
    """Report that the process and its database respond."""
    if (found := database()["status"]) != "ok":
        return JsonResponse({"status": f"database {found}"}, status=503, headers=RETRY_AFTER)
    return JsonResponse({"status": "ok"})


def readyz() -> JsonResponse:
    """Report the state of each part.

    Unavailable only without the database: the rest can wait while usage is accepted.
    """
    found = _readiness.found()
    if found["status"] == "unavailable":
        return JsonResponse(found, status=503, headers=RETRY_AFTER)
    return JsonResponse(found)


PROBES = {"/livez": livez, "/healthz": healthz, "/readyz": readyz}


def database() -> dict[str, Any]:
    """Report whether the database accepts writes."""
    is_server = connection.vendor == "postgresql"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')" if is_server else "SELECT 'off'")
            (is_read_only,) = cursor.fetchone()
    except DatabaseFailure:
        return {"status": "unavailable"}
    return {"status": REFUSES if is_read_only == "on" else "ok"}


def queue() -> dict[str, Any]:
    """Report whether the message broker, a server or a folder, accepts messages. A Redis that is full does not."""
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
    """Report when the sweep last completed. It needs the schedule, the message broker and a worker."""
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
    """Return the overall state (ok, degraded or unavailable) and the state of each part."""
    parts = {"database": database(), "queue": queue(), "schedule": last_sweep(as_of=as_of)}
    if parts["database"]["status"] != "ok":
        status = "unavailable"
    else:
        status = "ok" if all(part["status"] == "ok" for part in parts.values()) else "degraded"
    return {"status": status, **parts}


class _Readiness:
    """Cache of the last readiness.

    Of concurrent requests one refreshes it, and the others get the old answer at once.
    """

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
