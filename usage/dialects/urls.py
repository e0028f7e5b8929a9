"""The URL patterns of all dialects, below their vendors' names and on their vendors' own hosts."""

import functools

from django.urls import URLPattern, URLResolver

from usage.dialects import DIALECTS, VENDORS
from usage.dialects.shared.paths import mounted

urlpatterns: list[URLPattern | URLResolver] = [mounted(dialect.mount, dialect.urls) for dialect in DIALECTS]

# The prefixes of all paths of the APIs.
MOUNTS = tuple(f"/{vendor}/" for vendor in VENDORS)


@functools.cache
def roots(vendor: str) -> tuple[URLResolver, ...]:
    """Return the URL patterns of a vendor's own host."""
    return tuple(mounted(dialect.below, dialect.urls) for dialect in DIALECTS if dialect.vendor == vendor)
