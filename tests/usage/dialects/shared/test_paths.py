"""Paths in the forms that clients send: without the last slash, or with slashes that a base URL doubles."""

import time

import pytest

from billing.storage.jsontext import encode
from tests.usage.dialects.shared.assertions import undone
from tests.usage.dialects.vendors import each_vendor
from usage.dialects.shared.paths import ServedPattern, as_written

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def forms(path: str) -> list[str]:
    """Return a path without its last slash, with one, and with the slash doubled that follows the vendor's name."""
    bare = path.rstrip("/")
    mount, _, rest = bare.removeprefix("/").partition("/")
    return [bare, f"{bare}/", f"/{mount}//{rest}", f"/{mount}//{rest}/"]


@each_vendor
def test_every_path_is_served_in_each_form(vendor):
    world = vendor.world()
    for endpoint in vendor.endpoints:
        query = world.url(endpoint).removeprefix(world.path(endpoint))
        for path in forms(world.path(endpoint)):
            with undone():
                response = vendor.send(
                    world.key,
                    b"" if endpoint.body is None else encode(world.body(endpoint)),
                    method=endpoint.method,
                    path=path + query,
                    workspace=world.code,
                )

                assert response.status_code < 300, (endpoint.method, path, response.content)


@pytest.mark.parametrize(
    ("route", "path", "parts"),
    [
        ("usages/", "usages", {}),
        ("usages/", "//usages//", {}),
        ("usages/", "usage", None),
        ("usages/<str:usage_id>", "usages//7/", {"usage_id": "7"}),
        ("usages/<str:usage_id>", "usages/", None),
        ("usages/<str:usage_id>", "usages/7/8", None),
        ("invoices/<str:invoice_id>/lines/<int:position>/", "invoices/3/lines/02", {"invoice_id": "3", "position": 2}),
        ("invoices/<str:invoice_id>/lines/<int:position>/", "invoices/3/lines/" + "9" * 19, None),
        ("invoices/<str:invoice_id>/lines/<int:position>/", "invoices/3/lines/x", None),
        ("by-alias/<path:alias>", "by-alias//a//b/", {"alias": "/a//b/"}),
        ("by-alias/<path:alias>", "by-alias/", None),
        ("customers/<path:customer_id>/aliases", "customers/a/b/aliases/", {"customer_id": "a/b"}),
        ("usages", "usages\n", None),
    ],
)
def test_a_path_is_read(route, path, parts):
    found = ServedPattern(route).match(path)

    assert (found and found[2]) == parts


def test_a_path_of_slashes_alone_takes_no_time():
    started = time.process_time()

    assert ServedPattern("customers/<path:customer_id>/aliases").match("customers/" + "/" * 60_000) is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "names"), [("a", ["a"]), ("a/", ["a/", "a"]), ("a//", ["a//", "a/"]), ("/", ["/"]), ("a/b", ["a/b"])]
)
def test_a_text_at_the_end_of_a_path_may_end_in_a_slash_of_its_own(text, names):
    assert list(as_written(text)) == names
