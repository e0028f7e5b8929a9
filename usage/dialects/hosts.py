"""Hosts that are given to one vendor: there its paths stand at the root, as its clients have them."""

from collections.abc import Callable

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase


def vendor_of(host: str) -> str | None:
    """Return the vendor that a ``Host`` header's name is given to, or None."""
    # Read as Django reads it when it asks whether the host is allowed: with or without a port or a dot at its end.
    return settings.DIALECT_HOSTS.get(split_domain_port(host)[0]) if settings.DIALECT_HOSTS else None


def dialect_hosts(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Resolve the paths of a vendor's host below that vendor alone."""
    from usage.dialects.urls import roots  # noqa: PLC0415  (the views are imported once the settings are whole)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        vendor = vendor_of(request.META.get("HTTP_HOST", ""))
        if vendor is not None:
            request.urlconf = roots(vendor)  # type: ignore[assignment]  # patterns will do
        return get_response(request)

    return middleware


def check_dialect_hosts(**_: object) -> list[CheckMessage]:
    """Say which hosts are given to a vendor that there is not."""
    from usage.dialects.urls import DIALECTS  # noqa: PLC0415  (as above)

    return [
        Error(f"DIALECT_HOSTS gives {host} to {vendor!r}: use one of {', '.join(DIALECTS)}.", id="usage.E001")
        for host, vendor in settings.DIALECT_HOSTS.items()
        if vendor not in DIALECTS
    ]
