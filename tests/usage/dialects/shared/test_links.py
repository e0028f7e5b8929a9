"""Links in replies have the served form of the path, whatever form the request had.

Requests are sent as a server sends them: Django's test client reads the text after two slashes as a host.
"""

from io import BytesIO
from urllib.parse import urlsplit

import pytest
from django.urls import set_urlconf

from billing.storage.jsontext import decode, encode
from config.wsgi import application
from tests import factories as make
from tests.config.test_wsgi import environ_of
from tests.usage.dialects.native.vendor import VENDOR as NATIVE
from tests.usage.dialects.piriod.vendor import VENDOR as PIRIOD
from tests.usage.dialects.rebilly.vendor import VENDOR as REBILLY
from tests.usage.dialects.salesbricks_v2.vendor import VENDOR as SALESBRICKS_V2
from tests.usage.dialects.shared.assertions import undone
from tests.usage.dialects.vendors import each_vendor, endpoints_of

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("one_connection")]

SHARED, OWN = "localhost", "own.example.com"


@pytest.fixture(params=[SHARED, OWN])
def host(request, settings):
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, OWN]
    yield request.param
    set_urlconf(None)


def asked(vendor, world, endpoint, *, path, query="", host=SHARED):
    """Return the status, headers and JSON of an endpoint's request that comes to a path on a host."""
    body = b"" if endpoint.body is None else encode(world.body(endpoint))
    environ = environ_of(path, host) | {
        "REQUEST_METHOD": endpoint.method,
        "QUERY_STRING": query.removeprefix("?"),
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    for name, value in vendor.headers(world.key, world.code).items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    told = {}
    answer = b"".join(application(environ, lambda status, headers: told.update(status=status, headers=dict(headers))))
    return int(told["status"][:3]), told["headers"], decode(answer) if answer else None


def links(headers, body):
    """Return every address in a reply."""
    found = [headers["Location"]] if "Location" in headers else []
    match body:
        case dict():
            for name, value in body.items():
                found += [value] if name in ("href", "next", "previous") and value else links({}, value)
        case list():
            for value in body:
                found += links({}, value)
    return found


def on(host, vendor, path, settings):
    """Return a path as it stands on a host: below the vendor's name, or at the root of the vendor's own."""
    mount = path.split("/")[1]
    settings.DIALECT_HOSTS = {OWN: mount}
    return path.removeprefix(f"/{mount}") if host == OWN else path


def forms(path):
    bare = path.rstrip("/")
    first, _, rest = bare.removeprefix("/").partition("/")
    return [f"/{bare}", f"///{first}//{rest}/"]


@each_vendor
def test_no_link_leads_elsewhere(vendor, host, settings):
    world = vendor.world()
    for endpoint in vendor.endpoints:
        told = on(host, vendor, world.path(endpoint), settings)
        query = world.url(endpoint).removeprefix(world.path(endpoint))
        for form in forms(told):
            with undone():
                status, headers, body = asked(vendor, world, endpoint, path=form, query=query, host=host)

            assert status < 300, (str(endpoint), body)
            for link in links(headers, body):
                assert not link.startswith("//")
                parts = urlsplit(link)
                assert parts.netloc in ("", host), link
                assert "//" not in parts.path, link
                assert f"{parts.path.rstrip('/')}/".startswith(f"{told.rstrip('/')}/"), link


MADE = {
    "/rebilly/usages": "https://{host}{path}/",
    "/rebilly/organizations/{workspace}/usages": "https://{host}{path}/",
    "/api/usage/": "{path}",
    "/api/customers/": "{path}",
}


@endpoints_of(lambda vendor: [one for one in vendor.endpoints if one.method == "POST" and one.path in MADE])
def test_what_was_made_stands_below_the_path_as_it_is_served(vendor, endpoint, host, settings):
    for place in range(2):
        world = vendor.world(f"acme-{place}")
        told = on(host, vendor, world.path(endpoint), settings)

        _, headers, body = asked(vendor, world, endpoint, path=forms(told)[place], host=host)

        below = MADE[endpoint.path].format(host=host, path=told)
        assert headers["Location"] == f"{below}{body['id']}{'/' if told.endswith('/') else ''}"
        if vendor is REBILLY:
            assert body["_links"][0] == {"rel": "self", "href": headers["Location"]}


PAGED = {
    NATIVE: ("/api/usage/", "page_size=1", "cursor="),
    PIRIOD: ("/piriod/usages/", "page_size=1", "page=2"),
    SALESBRICKS_V2: (
        "/salesbricks/api/v2/subscriptions/{line.subscription_id}/bricks/{line.brick_id}/usage/entries",
        "limit=1",
        "offset=1",
    ),
}


@endpoints_of(lambda vendor: [one for one in vendor.endpoints if vendor in PAGED and PAGED[vendor][0] == one.path][:1])
def test_pages_lead_to_pages_of_the_path_as_it_is_served(vendor, endpoint, host, settings):
    _, size, following = PAGED[vendor]
    world = vendor.world()
    line = world.things["line"]
    for n in range(2):
        make.use(line, "1", "2026-07-10", dialect=vendor.name, key=f"k-{n}")
    told = on(host, vendor, world.path(endpoint), settings)
    for form in forms(told):
        _, _, first = asked(vendor, world, endpoint, path=form, query=f"{size}&", host=host)
        assert first["next"].startswith(f"https://{host}{told}?")
        assert following in first["next"]

        _, _, second = asked(vendor, world, endpoint, path=form, query=urlsplit(first["next"]).query, host=host)
        assert second["previous"].startswith(f"https://{host}{told}?")
