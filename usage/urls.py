"""One line a dialect."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("piriod/", include("usage.dialects.piriod.urls")),
    path("salesbricks/api/v2/", include("usage.dialects.salesbricks_v2.urls")),
]

# Where the APIs are, as paths begin.
MOUNTS = tuple(f"/{mount.pattern}" for mount in urlpatterns)
