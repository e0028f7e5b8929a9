"""Idempotency keys: the response to a request is stored in its transaction, and a repeated request gets it again.

A request that was refused or failed is processed again, since the cause may be gone. Some vendors store these responses
too.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Lock
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import ApiKey
from billing.storage import timeouts
from billing.storage.jsontext import MalformedJSON, decode, encode
from billing.tenancy import Across, across
from usage.models import StoredReply

LONGEST_KEY = 255
KEPT_HEADERS = ("Location",)
EXPIRED_AT_ONCE = 500


class KeyReused(exceptions.APIException):
    """The key was already used for another request."""

    default_detail = "This idempotency key was used for another request."

    def __init__(self, status_code: int) -> None:
        super().__init__()
        self.status_code = status_code


class InProgress(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A request with this idempotency key is being processed."


def sent_key(request: Request, *, header: str) -> str | None:
    """Return the idempotency key in a header, or None; raise ``ValidationError`` if it is too long or not ASCII."""
    key: str = request.META.get(f"HTTP_{header.upper().replace('-', '_')}", "").strip()
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise exceptions.ValidationError(f"{header} has at most {LONGEST_KEY} printable ASCII characters.")
    return key or None


def fingerprint(request: Request, body: bytes) -> str:
    """Return a digest that is equal for equal requests.

    Requests are equal if their method, served path, parameters and the values of their JSON are, whatever its notation.
    """
    parameters = sorted(request.query_params.lists())
    # Stored responses have the path without the slash at the end of some dialects' paths.
    about = json.dumps([request.method, request.path.removesuffix("/"), parameters])
    return hashlib.sha256(f"{about}\0".encode() + _meaning(body)).hexdigest()


def _meaning(body: bytes) -> bytes:
    """Return the same text for all notations of the same JSON; return other bodies unchanged."""
    try:
        return "".join(_tokens(decode(body))).encode()
    except MalformedJSON:
        return body


def _tokens(value: Any) -> list[str]:
    # Without recursion: passing each token through all levels would take time proportional to tokens times levels.
    tokens: list[str] = []
    # A stack of what is still to be written, the next one last: tokens, and values to be split.
    left: list[tuple[bool, Any]] = [(False, value)]
    while left:
        is_token, part = left.pop()
        if is_token:
            tokens.append(part)
            continue
        match part:
            case dict():
                tokens.append("{")
                left.append((True, "}"))
                for name in sorted(part, reverse=True):
                    left += [(True, ","), (False, part[name]), (True, f"{json.dumps(name)}:")]
            case list():
                tokens.append("[")
                left.append((True, "]"))
                for member in reversed(part):
                    left += [(True, ","), (False, member)]
            case int() | Decimal() if not isinstance(part, bool):
                tokens.append(_number(Decimal(part)))
            case _:
                tokens.append(json.dumps(part))
    return tokens


def _number(value: Decimal) -> str:
    """Return the canonical text of a number, the same for 7, 7.0 and 70e-1."""
    sign, digits, exponent = value.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return "0"
    return f"{'-' * sign}{significant.lstrip('0')}e{int(exponent) + len(digits) - len(significant)}"


def answer_once(
    *,
    api_key: ApiKey,
    workspace_id: int,
    key: str,
    sent: str,
    reuse_status: int,
    handle: Callable[[], Response],
    is_kept: Callable[[Response], bool],
) -> Response:
    """Return the stored response for the key, or that of ``handle()``, which is stored if ``is_kept`` returns true.

    ``sent`` is the request's fingerprint. The writes of ``handle`` and its response are committed together. Idempotency
    keys belong to one API key. Raises ``KeyReused`` with ``reuse_status`` if the key was used for another request,
    ``InProgress`` while a request with the key is being processed.
    """
    with transaction.atomic(), _alone(f"{api_key.pk}:{key}"):
        stored = StoredReply.objects.filter(workspace_id=workspace_id, api_key=api_key, key=key).first()
        if stored is None:
            response = handle()
            if not is_kept(response):
                return response
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


def expire_replies(*, as_of: datetime) -> int:
    """Remove the responses older than ``STORED_REPLY_DAYS``, and return their number; their keys can be used again.

    Each batch has a short transaction of its own, so that no request waits for it.
    """
    removed = 0
    while (gone := _expire_next(as_of)) is not None:
        removed += gone
    return removed


@transaction.atomic
def _expire_next(as_of: datetime) -> int | None:
    """Remove the next batch, and return its size; None if nothing was left."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    expired = StoredReply.objects.filter(created_at__lt=as_of - timedelta(days=settings.STORED_REPLY_DAYS))
    with across(Across.EXPIRY):
        batch = list(expired.order_by("created_at").values_list("workspace", "pk")[:EXPIRED_AT_ONCE])
    if not batch:
        return None
    workspaces, pks = map(set, zip(*batch, strict=True))
    return StoredReply.objects.filter(workspace__in=workspaces, pk__in=pks).delete()[0]


_at_work: set[str] = set()
_lock = Lock()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Lock a key until commit; raise ``InProgress`` if another request holds it."""
    with _lock:
        if name in _at_work:
            raise InProgress
        _at_work.add(name)
    try:
        if connection.vendor == "postgresql":
            # Against other processes, which `_at_work` does not know. SQLite has only one writer.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"reply {name}"])
                if not cursor.fetchone()[0]:
                    raise InProgress
        yield
    finally:
        with _lock:
            _at_work.discard(name)
