"""Read the body of a request: decompressed within a limit, in UTF-8, without a byte order mark."""

import zlib
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from rest_framework import exceptions, status

# A body may be compressed twice; more is an attack.
MAX_ENCODINGS = 2
MAX_MEMBERS = 100
_GZIP, _ZLIB, _BARE = 31, 15, -15
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Longer ones first: UTF-32 begins like UTF-16.
_OTHER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A request has at most {settings.API_BODY_BYTES} bytes."


class LengthRequired(exceptions.APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "A request with a body needs a Content-Length header."


class BodyTooSlow(exceptions.APIException):
    status_code = status.HTTP_408_REQUEST_TIMEOUT
    default_detail = "The body arrived too slowly."


class NoRoom(exceptions.APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = "The server has no disk space for the body. Try again later."


class TooManyWaiting(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too many of your requests are waiting already. Try again in a moment."
    headers: ClassVar = {"Retry-After": "1"}


class BrokenOff(exceptions.ParseError):
    default_detail = "The request is incomplete."


class UnknownEncoding(exceptions.APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    headers: ClassVar = {"Accept-Encoding": "gzip, deflate"}


# Errors of bodies that the web server did not read completely, by the status that it reports.
_UNREAD: dict[int, type[exceptions.APIException]] = {
    error.status_code: error for error in (BrokenOff, BodyTooSlow, BodyTooLarge, TooManyWaiting, NoRoom)
}


def require(request: HttpRequest) -> None:
    """Raise the error of a body that can't be read, if any, before it is needed."""
    unread = request.META.get("arrears.unread")
    if unread is not None:
        raise _UNREAD[unread]
    # WSGI knows the end of a body only from its length: without a length it would be read as empty.
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequired


def read(request: HttpRequest) -> bytes:
    """Return the body in UTF-8, decompressed.

    Raises ``BodyTooLarge`` if it has more bytes than ``API_BODY_BYTES``, compressed or not, ``UnknownEncoding`` for
    a ``Content-Encoding`` other than gzip and deflate, ``ParseError`` if it can't be decoded.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.API_BODY_BYTES:
        raise BodyTooLarge
    try:
        body = request.body
    except UnreadablePostError as error:
        raise BrokenOff from error
    except RequestDataTooBig as error:
        raise BodyTooLarge from error
    encodings = request.META.get("HTTP_CONTENT_ENCODING")
    if encodings:
        body = _decoded(body, encodings)
    return _in_utf8(body)


def _in_utf8(body: bytes) -> bytes:
    for mark, name in _OTHER_MARKS.items():
        if body.startswith(mark):
            raise exceptions.ParseError(f"The body is in {name}. Send UTF-8.")
    return body.removeprefix(_BYTE_ORDER_MARK)


def _decoded(body: bytes, encodings: str) -> bytes:
    names = [name.strip().lower() for name in encodings.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MAX_ENCODINGS or any(name not in _DECODERS for name in names):
        raise UnknownEncoding(f'Unsupported content encoding "{encodings}". Send gzip, deflate, or none.')
    # The last encoding was applied last.
    for name in reversed(names):
        try:
            body = _DECODERS[name](body)
        except zlib.error as error:
            raise exceptions.ParseError(f"The body is not {name}.") from error
    return body


def _gunzip(body: bytes) -> bytes:
    """Decompress gzip, which may have a few members, one after the other."""
    text = b""
    # Each member copies the rest of the data: thousands of empty ones would take quadratic time.
    for _ in range(MAX_MEMBERS):
        part, body = _inflate(body, _GZIP, room=settings.API_BODY_BYTES - len(text))
        text += part
        if not body:
            return text
    raise exceptions.ParseError(f"A gzip body has at most {MAX_MEMBERS} members.")


def _undeflate(body: bytes) -> bytes:
    # By the standard, deflate has a zlib wrapper, which many senders omit.
    wrapped = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    text, rest = _inflate(body, _ZLIB if wrapped else _BARE, room=settings.API_BODY_BYTES)
    if rest:
        raise zlib.error("there is data after its end")
    return text


def _inflate(body: bytes, wrapping: int, *, room: int) -> tuple[bytes, bytes]:
    """Return the decompressed data and the unused rest; raise ``BodyTooLarge`` beyond ``room`` bytes."""
    inflater: Any = zlib.decompressobj(wrapping)
    text = inflater.decompress(body, room + 1)
    if len(text) > room:
        raise BodyTooLarge
    if not inflater.eof:
        raise zlib.error("it is truncated")
    return text, inflater.unused_data


_DECODERS = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _undeflate}
