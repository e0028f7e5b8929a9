"""WSGI application with two middleware stacks: pages have sessions, CSRF and messages; the APIs need none of these."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.template.loader import render_to_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  (settings are available only now)

from config.celery import freeze_what_was_loaded  # noqa: E402
from usage.dialects.hosts import vendor_of  # noqa: E402
from usage.dialects.urls import MOUNTS  # noqa: E402


def _handler(middleware: list[str]) -> WSGIHandler:
    """Return a handler with its own middleware. Django reads the setting once, when the handler is created."""
    whole, settings.MIDDLEWARE = settings.MIDDLEWARE, middleware
    try:
        return WSGIHandler()
    finally:
        settings.MIDDLEWARE = whole


_pages = _handler(settings.MIDDLEWARE)
# Middleware that looks for a session took a quarter of a usage request's time.
_apis = _handler(settings.API_MIDDLEWARE)

freeze_what_was_loaded()


_UNREAD = {
    413: ("The form is too large", "Send less at once, or use the API for large amounts."),
    408: ("The form arrived too slowly", "The connection may be bad: go back and send it again."),
    400: ("The form is incomplete", "The connection may be bad: go back and send it again."),
    503: ("Too many requests", "Too many of your requests are waiting already: try again in a moment."),
    507: ("The form could not be stored", "The server's disk is full: tell its administrator."),
}


def is_api(path: str, host: str) -> bool:
    # A base URL that ends in a slash doubles the slash that a path begins with. A mount without its trailing slash is
    # an API path too.
    return f"/{path.lstrip('/')}/".startswith(MOUNTS) or vendor_of(host) is not None


def body_limit(api: bool) -> int:
    """Return the maximum size of a body in bytes."""
    return settings.API_BODY_BYTES if api else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    api = is_api(environ.get("PATH_INFO", ""), environ.get("HTTP_HOST", ""))
    if "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated"):
        _measure(environ, body_limit(api))
    unread = environ.get("arrears.unread")
    if unread is not None and not api:
        return _refuse(unread, start_response)
    return (_apis if api else _pages)(environ, start_response)


def _measure(environ: dict[str, Any], limit: int) -> None:
    """Read a body of unknown length, which Django would treat as empty. The server must mark its end."""
    body = environ["wsgi.input"].read(limit + 1)
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))


def _refuse(status: int, start_response: Any) -> HttpResponse:
    """Answer a page's request whose body was not read. APIs answer in their vendor's format."""
    message, advice = _UNREAD[status]
    response = HttpResponse(
        render_to_string("errors/unread.html", {"message": message, "advice": advice}), status=status
    )
    start_response(
        f"{status} {response.reason_phrase}", [*response.items(), ("Content-Length", str(len(response.content)))]
    )
    return response
