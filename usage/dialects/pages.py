"""The API pages at ``/docs/``: each dialect's description, in OpenAPI or as a GraphQL schema, for people and tools."""

import functools
from threading import Lock
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiYamlRenderer

from usage.dialects import BY_NAME, DIALECTS, Dialect
from usage.dialects.shared.openapi import describe

# The generator has state in its classes: concurrent threads would corrupt each other's description.
_building = Lock()


def openapi(name: str) -> dict[str, Any]:
    """Return the OpenAPI description of a dialect, with its path on this host as its server."""
    with _building:
        return _built(name)


@functools.cache
def _built(name: str) -> dict[str, Any]:
    dialect = BY_NAME[name]
    return describe(dialect.urls.urlpatterns, title=dialect.title, servers=[_path(dialect)])


def _path(dialect: Dialect) -> str:
    return f"/{dialect.mount}".rstrip("/")


def _base_urls(request: HttpRequest, dialect: Dialect) -> list[str]:
    _, colon, port = request.get_host().partition(":")
    own = [host for host, vendor in settings.DIALECT_HOSTS.items() if vendor == dialect.vendor]
    on_own = [f"{request.scheme}://{host}{colon}{port}/{dialect.below}".rstrip("/") for host in own]
    return [*on_own, request.build_absolute_uri(_path(dialect))]


def _dialect_or_404(name: str, *, graphql: bool) -> Dialect:
    dialect = BY_NAME.get(name)
    if dialect is None or dialect.speaks_graphql is not graphql:
        raise Http404
    return dialect


def _described(request: HttpRequest, name: str) -> dict[str, Any]:
    servers = [{"url": url} for url in _base_urls(request, _dialect_or_404(name, graphql=False))]
    return {**openapi(name), "servers": servers}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = [
        {"dialect": dialect, "base_urls": _base_urls(request, dialect), "links": _links(dialect)}
        for dialect in DIALECTS
    ]
    context = {**admin.site.each_context(request), "title": "APIs", "rows": rows}
    return render(request, "api_pages/index.html", context)


def _links(dialect: Dialect) -> list[tuple[str, str]]:
    pages = (
        {"schema.graphql": "api_pages:graphql"}
        if dialect.speaks_graphql
        else {"Read and try": "api_pages:page", "openapi.json": "api_pages:json", "openapi.yaml": "api_pages:yaml"}
    )
    return [(text, reverse(view, args=[dialect.name])) for text, view in pages.items()]


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "api_pages/openapi.html", {"dialect": _dialect_or_404(name, graphql=False)})


@require_safe
def as_json(request: HttpRequest, name: str) -> HttpResponse:
    return JsonResponse(_described(request, name))


@require_safe
def as_yaml(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(OpenApiYamlRenderer().render(_described(request, name)), content_type="application/yaml")


@require_safe
def as_graphql(request: HttpRequest, name: str) -> HttpResponse:
    schema = _dialect_or_404(name, graphql=True).graphql
    return HttpResponse(schema.read_bytes(), content_type="application/graphql")


app_name = "api_pages"
urlpatterns = [
    path("", index, name="index"),
    path("<str:name>/", page, name="page"),
    path("<str:name>/openapi.json", as_json, name="json"),
    path("<str:name>/openapi.yaml", as_yaml, name="yaml"),
    path("<str:name>/schema.graphql", as_graphql, name="graphql"),
]
