"""Idempotency keys: the first reply is kept in the transaction of what it reports, and a repeat gets it again."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import msgspec
from django.db import connection, transaction
from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.jsontext import encode
from billing.models import ApiKey
from usage.models import StoredReply

LONGEST_KEY = 255
KEPT_HEADERS = ("Location",)


class KeyReused(exceptions.APIException):
    """The same key came with another request before."""

    default_detail = "This idempotency key was used for another request."

    def __init__(self, status_code: int) -> None:
        super().__init__()
        self.status_code = status_code


class InProgress(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A request with this idempotency key is being worked on."


def fingerprint(request: Request, body: bytes) -> str:
    """Return the digest of what has to be the same for a request to be the same."""
    about = "\0".join((request.method or "", request.get_full_path()))
    return hashlib.sha256(about.encode("utf-8", "surrogateescape") + b"\0" + body).hexdigest()


def answer_once(
    *, api_key: ApiKey, workspace_id: int, key: str, sent: str, reuse_status: int, handle: Callable[[], Response]
) -> Response:
    """Return ``handle()``'s reply and keep it, or the reply kept under the key; ``sent`` is the request's fingerprint.

    What ``handle`` writes and the reply to it are committed together. Keys are the API key's own. Raises ``KeyReused``
    with ``reuse_status`` where the key came with another request, ``InProgress`` where that one is being answered.
    """
    with transaction.atomic(), _alone(f"{api_key.pk}:{key}"):
        stored = StoredReply.objects.filter(workspace_id=workspace_id, api_key=api_key, key=key).first()
        if stored is None:
            response = handle()
            _keep(response, api_key=api_key, workspace_id=workspace_id, key=key, sent=sent)
            return response
    if stored.fingerprint != sent:
        raise KeyReused(reuse_status)
    content_type = stored.headers.pop("Content-Type", None)
    body = msgspec.Raw(stored.body.encode()) if stored.body else None
    return Response(body, status=stored.status, headers=stored.headers, content_type=content_type)


def _keep(response: Response, *, api_key: ApiKey, workspace_id: int, key: str, sent: str) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    if response.content_type:
        headers["Content-Type"] = response.content_type
    StoredReply.objects.create(
        workspace_id=workspace_id,
        api_key=api_key,
        key=key,
        fingerprint=sent,
        status=response.status_code,
        headers=headers,
        body="" if response.data is None else encode(response.data).decode(),
        created_at=timezone.now(),
    )


_at_work: set[str] = set()
_lock = Lock()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold a key against all other requests until commit, or raise ``InProgress``."""
    with _lock:
        if name in _at_work:
            raise InProgress
        _at_work.add(name)
    try:
        if connection.vendor == "postgresql":
            # Other processes, which this one's set does not know. SQLite has its one writer.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"reply {name}"])
                if not cursor.fetchone()[0]:
                    raise InProgress
        yield
    finally:
        with _lock:
            _at_work.discard(name)
