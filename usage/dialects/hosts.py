"""Serve a vendor's paths at the root of the hosts that ``DIALECT_HOSTS`` assigns to it, as its clients expect."""

from collections.abc import Callable

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

from usage.dialects import VENDORS


def vendor_of(host: str) -> str | None:
    """Return the vendor to which the host in a ``Host`` header is assigned, or None."""
    # Parse it as Django does for ALLOWED_HOSTS: with or without a port or a trailing dot.
    return settings.DIALECT_HOSTS.get(split_domain_port(host)[0]) if settings.DIALECT_HOSTS else None


def dialect_hosts(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return middleware that resolves only the vendor's paths on a vendor's host."""
    from usage.dialects.urls import roots  # noqa: PLC0415  (views can be imported only once the settings are complete)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        vendor = vendor_of(request.META.get("HTTP_HOST", ""))
        if vendor is not None:
            request.urlconf = roots(vendor)  # type: ignore[assignment]  # patterns are accepted too
        return get_response(request)

    return middleware


def check_dialect_hosts(**_: object) -> list[CheckMessage]:
    """Report hosts that are assigned to an unknown vendor."""
    return [
        Error(f"DIALECT_HOSTS assigns {host} to {vendor!r}: use one of {', '.join(VENDORS)}.", id="usage.E001")
        for host, vendor in settings.DIALECT_HOSTS.items()
        if vendor not in VENDORS
    ]
