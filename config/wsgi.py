"""Two ways in for one program: pages with sessions, CSRF and messages, and the APIs, which have no use for those."""

import os
from collections.abc import Iterable
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  (only now are they there)

from config.celery import freeze_what_was_loaded  # noqa: E402
from usage.hosts import vendor_of  # noqa: E402
from usage.urls import MOUNTS  # noqa: E402


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


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    is_api = environ.get("PATH_INFO", "").startswith(MOUNTS) or vendor_of(environ.get("HTTP_HOST", "")) is not None
    return (_apis if is_api else _pages)(environ, start_response)
