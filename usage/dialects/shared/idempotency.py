"""Idempotency keys: the reply to what was done is kept in its transaction, and a repeat gets it again.

What was refused, or failed, is worked on anew: what was in its way may be gone. Some vendors keep that too.
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
    """The same key came with another request before."""

    default_detail = "This idempotency key was used for another request."

    def __init__(self, status_code: int) -> None:
        super().__init__()
        self.status_code = status_code


class InProgress(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A request with this idempotency key is being worked on."


def fingerprint(request: Request, body: bytes) -> str:
    """Return the digest of what has to be the same for a request to be the same.

    That is its method, its path as it is served, its parameters and what its JSON means, however it is written.
    """
    parameters = sorted(request.query_params.lists())
    # Without the slash that some dialects' paths end in, as in the replies that are kept.
    about = json.dumps([request.method, request.path.removesuffix("/"), parameters])
    return hashlib.sha256(f"{about}\0".encode() + _meaning(body)).hexdigest()


def _meaning(body: bytes) -> bytes:
    """Return one text for all ways of writing the same JSON; what is none means itself alone."""
    try:
        return "".join(_tokens(decode(body))).encode()
    except MalformedJSON:
        return body


def _tokens(value: Any) -> list[str]:
    # Without recursion: handing each token up through all levels takes a time that grows with their product.
    tokens: list[str] = []
    # What is still to be written, the next one last: tokens, and values to take apart.
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
    """Return a number's one text: 7, 7.0 and 70e-1 are the same."""
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
    """Return ``handle()``'s reply, kept where ``is_kept`` says so, or the reply kept under the key.

    ``sent`` is the request's fingerprint. What ``handle`` writes and the reply to it are committed together. Keys are
    the API key's own. Raises ``KeyReused`` with ``reuse_status`` where the key came with another request,
    ``InProgress`` where that one is being answered.
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
    """Remove the replies that are older than they are kept for, and return how many; after that a key is a new one.

    One short transaction for each batch, so that nobody waits for it.
    """
    removed = 0
    while (gone := _expire_next(as_of)) is not None:
        removed += gone
    return removed


@transaction.atomic
def _expire_next(as_of: datetime) -> int | None:
    """Remove the next batch, and return how many of it; None where there was none."""
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
