"""The description of a dialect that the shared suite needs, and how the suite sends requests by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client

from billing.models import Line, Workspace
from billing.storage.jsontext import encode
from tests import factories as make
from tests.usage.dialects.facts import Books, Facts
from usage import ledger

Things = Mapping[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """A method of a path that a dialect serves, and the body of a request that succeeds.

    Braces in the path stand for what is in a world's things, as in "{usage.handle}", whose things the body may name
    as well. ``names_things`` tells that the request names rows, so that it is refused where they are another's.
    ``query`` stands behind the path, where a request needs one.
    """

    method: str
    path: str
    body: Callable[[Things], Any] | None = None
    names_things: bool = True
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class World:
    """A workspace with a key, and the things in it: a line, and whatever else the vendor's endpoints are about."""

    code: str
    key: str
    things: Things

    def path(self, endpoint: Endpoint, about: Things | None = None) -> str:
        return self._filled(endpoint.path, about)

    def url(self, endpoint: Endpoint, about: Things | None = None) -> str:
        return self._filled(endpoint.path + endpoint.query, about)

    def body(self, endpoint: Endpoint, about: Things | None = None) -> Any:
        return endpoint.body(about or self.things) if endpoint.body else None

    def _filled(self, template: str, about: Things | None) -> str:
        return template.format(**{**(about or self.things), "workspace": self.code})


@dataclass(frozen=True)
class Vendor:
    """What the shared suite has to know of a dialect.

    ``report`` is the body that reports 7 units of a line to ``path``, and ``recorded`` what of it the ledger keeps;
    ``quantity`` and ``moment`` are its fields of that kind, ``accepted`` the status of its answer; ``takes_days``
    tells that a day alone is a time. ``error`` makes an
    error's body of status, message and field, ``invalid`` is the status where a field is at fault and
    ``wrong_query`` where a parameter is, ``refusals`` those
    for what is not there. ``report_facts`` reports facts to a workspace as the vendor's clients do; ``counts_events``
    tells that they do so by events.
    """

    name: str
    path: str
    headers: Callable[[str, str], dict[str, str]]
    report: Callable[[Line], Any]
    error: Callable[..., Any]
    wrong_key: str
    challenge: str
    endpoints: tuple[Endpoint, ...]
    unserved: tuple[Endpoint, ...]
    report_facts: Callable[[Books, Facts], None]
    counts_events: bool = False
    populate: Callable[[Line], dict[str, Any]] = lambda line: {}
    recorded: Callable[[Line], dict[str, Any]] = lambda line: {"line": line.pk, "quantity": 7}
    foreign: Callable[[Line], tuple[int, Any]] | None = None
    quantity: str | None = None
    moment: str | None = None
    number: str = "number"
    takes_days: bool = False
    accepted: int = 201
    ignores_unknown_fields: bool = True
    invalid: int = 400
    wrong_query: int = 400
    refusals: tuple[int, ...] = (400, 403, 404, 422)
    error_type: str = "application/json"
    statements: tuple[str, ...] = ("SELECT", "INSERT")

    def __str__(self) -> str:
        return self.name

    @property
    def paths(self) -> tuple[Endpoint, ...]:
        return self.endpoints + self.unserved

    @property
    def reads(self) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.method == "GET"]

    @property
    def with_body(self) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.body]

    def world(self, code: str = "acme") -> World:
        # No two worlds have a line of the same number.
        workspace = make.workspace(code, next_line_number=1 + 1000 * Workspace.objects.count())
        line = make.line(workspace)
        return World(code, make.api_key(workspace), {"line": line, **self.populate(line)})

    def send(self, key: str | None, body: str | bytes, *, workspace: str = "acme", **options: Any) -> Any:
        """Send a body to ``path``, as a report, unless another ``method`` or ``path`` is given."""
        method, path = options.pop("method", "POST"), options.pop("path", self.path.format(workspace=workspace))
        options = {"content_type": "application/json", **options}
        headers = {} if key is None else self.headers(key, workspace)
        return Client().generic(method, path, body, headers=headers, **options)

    def ask(self, endpoint: Endpoint, world: World, *, about: Things | None = None, **options: Any) -> Any:
        """Send an endpoint's request to a world, about its own things or those of another."""
        body = b"" if endpoint.body is None else encode(world.body(endpoint, about))
        key, body = options.pop("key", world.key), options.pop("body", body)
        path = world.url(endpoint, about)
        return self.send(key, body, method=endpoint.method, path=path, workspace=world.code, **options)


def transaction(line: Line) -> str:
    return f"T-{line.pk}"


def used(line: Line, dialect: str) -> ledger.Recorded:
    """Return a record of the line, which its sender knows by the line's own transaction."""
    return make.use(line, "5", "2026-07-15 08:00", key=transaction(line), dialect=dialect)
