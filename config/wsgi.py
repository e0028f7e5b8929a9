"""Two ways in for one program: pages with sessions, CSRF and messages, and the APIs, which have no use for those."""

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

from django.conf import settings  # noqa: E402  (only now are they there)

from config.celery import freeze_what_was_loaded  # noqa: E402
from usage.dialects.hosts import vendor_of  # noqa: E402
from usage.dialects.urls import MOUNTS  # noqa: E402


def _handler(middleware: list[str]) -> WSGIHandler:
    """Return a handler with a middleware of its own. Django reads the setting once, when the handler is made."""
    whole, settings.MIDDLEWARE = settings.MIDDLEWARE, middleware
    try:
        return WSGIHandler()
    finally:
        settings.MIDDLEWARE = whole


_pages = _handler(settings.MIDDLEWARE)
# A quarter of a usage request's time went into middleware that looks for a session.
_apis = _handler(settings.API_MIDDLEWARE)

freeze_what_was_loaded()


_UNREAD = {
    413: ("The form is too large", "Send less at once, or what is large by the API."),
    408: ("The form came too slowly", "The connection may be bad: go back and send it again."),
    400: ("The form broke off", "The connection may be bad: go back and send it again."),
    503: ("Too much at once", "So many of your requests are waiting already: try again in a moment."),
    507: ("There is no room for the form", "The server's disk is full: tell whoever looks after it."),
}


def is_api(path: str, host: str) -> bool:
    # A base URL that ends in a slash doubles the one that a path begins with.
    # A mount without its own slash is no page either.
    return f"/{path.lstrip('/')}/".startswith(MOUNTS) or vendor_of(host) is not None


def body_limit(api: bool) -> int:
    """Return how many bytes a body may have."""
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
    """Read a body of unknown length, which Django would take for none, from a server that knows where it ends."""
    body = environ["wsgi.input"].read(limit + 1)
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))


def _refuse(status: int, start_response: Any) -> HttpResponse:
    """Answer a page's request whose body was not read; APIs answer in their vendor's shape."""
    message, advice = _UNREAD[status]
    response = HttpResponse(
        render_to_string("errors/unread.html", {"message": message, "advice": advice}), status=status
    )
    start_response(
        f"{status} {response.reason_phrase}", [*response.items(), ("Content-Length", str(len(response.content)))]
    )
    return response
