"""A vendor's own host serves its paths at the root, and nothing else."""

import pytest
from django.core.checks import run_checks
from django.test import Client
from django.urls import set_urlconf

from tests import factories as make
from tests.config.test_wsgi import ask

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HOSTS = {"usage.example.com": "piriod", "sales.example.com": "salesbricks"}


@pytest.fixture(autouse=True)
def _hosts(settings):
    settings.DIALECT_HOSTS = HOSTS
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, *HOSTS]
    yield
    # A request leaves its paths behind until the next one of its thread.
    set_urlconf(None)


@pytest.fixture
def line():
    return make.line()


def test_on_its_host_a_vendors_paths_stand_at_the_root(line):
    headers = {"authorization": f"Token {make.api_key(line.workspace)}", "x-simple-workspace": "acme"}
    client = Client(headers={**headers, "host": "usage.example.com:8443"})
    usage = {"subscription_line": line.number, "date_time": "2026-07-16T10:15:30Z", "quantity": 7}

    assert client.post("/usages/", usage, content_type="application/json").status_code == 201
    page = client.get("/usages/", {"page_size": 1}).json()
    assert (page["count"], page["next"]) == (1, None)
    client.post("/usages/", usage, content_type="application/json")
    following = client.get("/usages/", {"page_size": 1}).json()["next"]
    assert following == "http://usage.example.com:8443/usages/?page=2&page_size=1"


def test_several_apis_of_a_vendor_share_its_host(line):
    client = Client(headers={"host": "sales.example.com", "x-salesbricks-key": make.api_key(line.workspace)})

    assert client.delete("/api/v2/usage", {"transaction_id": "t"}, content_type="application/json").status_code == 404
    assert client.get("/api/v2/elsewhere").json()["error"]["code"] == "ERR_NOT_FOUND"


@pytest.mark.parametrize("path", ["/admin/login/", "/piriod/usages/", "/docs/"])
def test_nothing_else_is_there(path):
    assert Client(headers={"host": "usage.example.com"}).get(path).status_code in (401, 404)


def test_probes_are_answered_whatever_the_host():
    assert Client(headers={"host": "usage.example.com"}).get("/healthz").status_code == 200


def test_other_hosts_are_as_ever(line):
    assert Client().get("/usages/").status_code == 404
    assert Client().get("/piriod/usages/").status_code == 401


def test_its_requests_go_without_what_pages_need():
    status, headers = ask("/usages/", host="usage.example.com")

    assert status == "401 Unauthorized"
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize(
    "host", ["usage.example.com.", "USAGE.Example.COM", "usage.example.com:8443", "usage.example.com.:443"]
)
def test_its_host_is_known_however_it_is_written(host):
    assert ask("/usages/", host=host)[0] == "401 Unauthorized"
    status, headers = ask("/admin/login/", host=host)
    assert status == "401 Unauthorized"
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize(
    "host", ["usage.example.com..", "usage.example.com:80:80", "a@usage.example.com", "usage.example.com/"]
)
def test_what_is_no_host_is_refused(host):
    assert Client(headers={"host": host}).get("/admin/login/").status_code == 400


def test_a_vendor_that_there_is_not_stops_the_start(settings):
    settings.DIALECT_HOSTS = {"usage.example.com": "pirod"}

    (error,) = [found for found in run_checks() if found.id == "usage.E001"]
    assert "usage.example.com to 'pirod': use one of piriod, salesbricks" in error.msg
