"""Match paths as clients write them: with or without a trailing slash, and with slashes doubled by a base URL."""

import functools
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_script_prefix
from django.urls.resolvers import RegexPattern

# The patterns of a path's parts. A ``path`` may contain any character, including slashes.
_KINDS = {"str": r"[^/]+", "int": r"[0-9]{1,18}", "path": r".{1,1000}"}
# Bounded, since a path with only slashes would otherwise take quadratic time.
_SOME, _ANY = "/{1,4}", "/{0,4}"
_PART = re.compile(r"<(?P<kind>str|int|path):(?P<name>\w+)>")


class ServedPattern(RegexPattern):
    """A path in the form of the API description, which matches every form that clients send.

    Other forms are not redirected, since a redirect would lose the request's body.
    """

    def __init__(self, route: str, *, name: str | None = None, is_endpoint: bool = True) -> None:
        self.route, self._is_mount = route, not is_endpoint
        self._numbers = [part["name"] for part in _PART.finditer(route) if part["kind"] == "int"]
        super().__init__(_regex(route, is_endpoint), name=name, is_endpoint=is_endpoint)

    def __str__(self) -> str:
        return self.route

    def match(self, path: str) -> Any:
        found = super().match(path)
        if not found and self._is_mount:
            # The mount point without its slash belongs to its dialect as well.
            found = super().match(f"{path}/")
        if found and self._numbers:
            parts: dict[str, Any] = found[2]
            parts.update({name: int(parts[name]) for name in self._numbers})
        return found

    def check(self) -> list[Any]:
        # Django warns about the leading slash, which is intended here.
        return []


def served(route: str, view: Any, *, name: str | None = None) -> URLPattern:
    """Return the pattern of a path such as ``usages/<str:usage_id>/``; its parts are ``str``, ``int`` or ``path``.

    A ``path`` keeps all its characters, even a trailing slash of the request's path: see ``as_written``.
    """
    return URLPattern(ServedPattern(route, name=name), view, None, name)


def mounted(route: str, urls: ModuleType) -> URLResolver:
    """Return the patterns of a module below a path such as ``salesbricks/api/v2/``."""
    return URLResolver(ServedPattern(route, is_endpoint=False), urls)


def as_written(text: str) -> Iterator[str]:
    """Yield the possible values of a text at the end of a path: unchanged, then without a trailing slash."""
    yield text
    if text.endswith("/") and len(text) > 1:
        yield text[:-1]


def served_path(request: HttpRequest) -> str:
    """Return a request's path, decoded, in the form of the API description, without doubled slashes.

    A ``path`` part keeps its own slashes. A path that is not served keeps its trailing slash, if any.
    """
    path, match = request.path_info, request.resolver_match
    found = _whole(match.route).match(path.removeprefix("/")) if match else None
    if not (match and found):
        return get_script_prefix() + re.sub("/+", "/", path).removeprefix("/")
    return get_script_prefix() + _PART.sub(lambda part: str(match.kwargs[part["name"]]), match.route)


@functools.lru_cache(maxsize=256)
def _whole(route: str) -> ServedPattern:
    """Return the pattern of a path from its mount point on; the base view's pattern matches only the mount point."""
    return ServedPattern(route)


def _regex(route: str, is_endpoint: bool) -> str:
    regex, slashes, is_text = "^", _ANY, False
    for part in filter(None, route.split("/")):
        found = _PART.fullmatch(part)
        is_text = found is not None and found["kind"] == "path"
        # A ``path`` part may begin with slashes.
        regex += "/" if is_text and slashes == _SOME else slashes
        regex += f"(?P<{found['name']}>{_KINDS[found['kind']]})" if found else re.escape(part)
        slashes = _SOME
    if not is_endpoint:
        return regex + (_SOME if route else "")
    return regex + ("" if is_text else _ANY) + r"\Z"
