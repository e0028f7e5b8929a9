"""One line a dialect: the vendor, where the paths begin on the vendor's own host, and their module.

Here they stand below the vendor's name; on a host that is given to the vendor they stand at its root.
"""

import functools
from itertools import groupby

from django.urls import URLPattern, URLResolver

from usage.dialects.shared.paths import mounted

_LINES = [
    ("piriod", "", "usage.dialects.piriod.urls"),
    ("salesbricks", "api/v1/", "usage.dialects.salesbricks_v1.urls"),
    ("salesbricks", "api/v2/", "usage.dialects.salesbricks_v2.urls"),
    ("rebilly", "", "usage.dialects.rebilly.urls"),
    ("sequence", "api/", "usage.dialects.sequence.urls"),
    ("api", "", "usage.dialects.native.urls"),
]

DIALECTS = {
    vendor: tuple((below, module) for _, below, module in lines)
    for vendor, lines in groupby(_LINES, key=lambda line: line[0])
}

urlpatterns: list[URLPattern | URLResolver] = [mounted(f"{vendor}/{below}", module) for vendor, below, module in _LINES]

# Where the APIs are, as paths begin.
MOUNTS = tuple(f"/{vendor}/" for vendor in DIALECTS)


@functools.cache
def roots(vendor: str) -> tuple[URLResolver, ...]:
    """Return the URL patterns of a vendor's own host."""
    return tuple(mounted(below, module) for below, module in DIALECTS[vendor])
