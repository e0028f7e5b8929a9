"""Assertions that the shared suite and others share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import URLPattern, URLResolver

from billing import keys
from billing.models import ApiKeyUse
from tests.usage.dialects.vendor import Vendor
from usage.dialects.shared.view import DialectView

# A refused request uses its key too.
_TABLES = [
    model
    for label in ("billing", "usage")
    for model in apps.get_app_config(label).get_models()
    if model is not ApiKeyUse
]


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return all that is stored, as the database gives it: the columns of each row by name."""
    found = {}
    with connection.cursor() as cursor:
        for model in _TABLES:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}" ORDER BY "{model._meta.pk.column}"')
            names = [column[0] for column in cursor.description]
            found[model.__name__] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


@contextmanager
def nothing_changed() -> Iterator[None]:
    before = rows()
    yield
    assert rows() == before


@contextmanager
def undone() -> Iterator[None]:
    """Undo what is done within, so that one world serves the requests of every endpoint.

    What is written has to keep the constraints that are checked when a transaction ends.
    """
    with transaction.atomic():
        yield
        connection.check_constraints()
        transaction.set_rollback(True)
    keys.forget_trusted()
    keys.forget_noted()
    cache.clear()


def asked(response: Any) -> str:
    """Return the request of a response, for the message of a test that sends many."""
    return f"{response.wsgi_request.method} {response.wsgi_request.get_full_path()[:200]}"


def assert_refused(response: Any, vendor: Vendor, status: int, message: str, field: str | None = None) -> None:
    told = (status, vendor.error(status, message, field))
    assert (response.status_code, response.json()) == told, asked(response)
    assert response.headers["Content-Type"] == vendor.error_type, asked(response)


def served(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Give the dialect, the method and the path of everything that is served."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from served(pattern.url_patterns, route)
        else:
            view: Any = getattr(pattern.callback, "cls", None)
            if view is None or not issubclass(view, DialectView):
                continue
            methods = {"get", "post", "put", "patch", "delete"}.intersection(dir(view))
            yield from ((view.dialect, method.upper(), route) for method in methods)
