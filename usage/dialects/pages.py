"""Pages that say what each dialect understands: OpenAPI documents, to read and for client generators, and an SDL."""

import functools
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiYamlRenderer

from usage.dialects.shared.openapi import build_document
from usage.dialects.urls import DIALECTS


@dataclass(frozen=True, slots=True)
class Dialect:
    """A dialect, and where its paths begin: below the vendor's name, and on a host that is given to the vendor."""

    name: str
    title: str
    vendor: str
    below: str
    patterns: tuple[Any, ...]
    graphql: Path

    @property
    def speaks_graphql(self) -> bool:
        return self.graphql.exists()


@functools.cache
def dialects() -> dict[str, Dialect]:
    """Return each dialect by its name."""
    found = {}
    for vendor, lines in DIALECTS.items():
        for below, path_of_urls in lines:
            urls = import_module(path_of_urls)
            view = urls.urlpatterns[-1].callback.cls
            schema = Path(str(urls.__file__)).with_name("schema.graphql")
            found[view.dialect] = Dialect(view.dialect, view.title, vendor, below, tuple(urls.urlpatterns), schema)
    return found


# The generator keeps what it is at in its classes: two threads would spoil each other's document.
_building = Lock()


def openapi(name: str) -> dict[str, Any]:
    """Return the OpenAPI document of a dialect, at its path on this host."""
    with _building:
        return _built(name)


@functools.cache
def _built(name: str) -> dict[str, Any]:
    dialect = dialects()[name]
    return build_document(dialect.patterns, servers=[_path(dialect)])


def _path(dialect: Dialect) -> str:
    return f"/{dialect.vendor}/{dialect.below}".rstrip("/")


def _base_urls(request: HttpRequest, dialect: Dialect) -> list[str]:
    _, colon, port = request.get_host().partition(":")
    own = [host for host, vendor in settings.DIALECT_HOSTS.items() if vendor == dialect.vendor]
    on_own = [f"{request.scheme}://{host}{colon}{port}/{dialect.below}".rstrip("/") for host in own]
    return [*on_own, request.build_absolute_uri(_path(dialect))]


def _known(name: str, *, graphql: bool) -> Dialect:
    dialect = dialects().get(name)
    if dialect is None or dialect.speaks_graphql is not graphql:
        raise Http404
    return dialect


def _shown(request: HttpRequest, name: str) -> dict[str, Any]:
    servers = [{"url": url} for url in _base_urls(request, _known(name, graphql=False))]
    return {**openapi(name), "servers": servers}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = [
        {
            "dialect": dialect,
            "base_urls": _base_urls(request, dialect),
            "links": _links(dialect),
        }
        for dialect in dialects().values()
    ]
    context = {**admin.site.each_context(request), "title": "APIs", "rows": rows}
    return render(request, "documents/index.html", context)


def _links(dialect: Dialect) -> list[tuple[str, str]]:
    pages = (
        {"schema.graphql": "documents:graphql"}
        if dialect.speaks_graphql
        else {"Read and try": "documents:page", "openapi.json": "documents:json", "openapi.yaml": "documents:yaml"}
    )
    return [(text, reverse(view, args=[dialect.name])) for text, view in pages.items()]


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "documents/openapi.html", {"dialect": _known(name, graphql=False)})


@require_safe
def as_json(request: HttpRequest, name: str) -> HttpResponse:
    return JsonResponse(_shown(request, name))


@require_safe
def as_yaml(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(OpenApiYamlRenderer().render(_shown(request, name)), content_type="application/yaml")


@require_safe
def as_graphql(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(_known(name, graphql=True).graphql.read_bytes(), content_type="application/graphql")


app_name = "documents"
urlpatterns = [
    path("", index, name="index"),
    path("<str:name>/", page, name="page"),
    path("<str:name>/openapi.json", as_json, name="json"),
    path("<str:name>/openapi.yaml", as_yaml, name="yaml"),
    path("<str:name>/schema.graphql", as_graphql, name="graphql"),
]
