import logging
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from psycopg import errors

from config.logs import InALine
from tests.failures import lost_connection, raised

# From the style sheet that all error pages share.
LOOK = "--paper: #fff"


def page_when(error: Exception, path: str = "/admin/login/") -> tuple[int, str | None, str]:
    def fail(*_):
        raise error

    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a" * 32
    with connection.execute_wrapper(fail):
        page = browser.get(path)
    return page.status_code, page.headers.get("Retry-After"), page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/admin/billing/customer/"])
def test_a_page_says_that_the_database_is_out_of_reach(path):
    status, retry_after, page = page_when(lost_connection(), path)

    assert (status, retry_after) == (503, "5")
    assert "The database is unreachable. Try again in a moment." in page


@pytest.mark.django_db
def test_a_page_says_that_the_disk_is_full():
    status, retry_after, page = page_when(raised(errors.DiskFull("...")))

    assert (status, retry_after) == (503, "60")
    assert "The database&#x27;s disk is full. Try again later." in page


@pytest.mark.django_db
@pytest.mark.parametrize("error", [RuntimeError("a fault"), raised(errors.StatementTooComplex("too deep"))])
def test_a_fault_of_ours_is_no_outage(error):
    status, retry_after, page = page_when(error)

    assert (status, retry_after) == (500, None)
    assert "Not available" not in page


@pytest.mark.django_db
def test_a_fault_of_ours_says_so_in_the_panels_look():
    _, _, page = page_when(RuntimeError("a fault"))

    assert "Something went wrong" in page
    assert LOOK in page


@pytest.mark.django_db
def test_an_address_that_leads_nowhere_says_so():
    browser = Client()
    for path in ("/nowhere/", "/admin/billing/nowhere/"):
        browser.force_login(User.objects.get_or_create(username="fiona", is_staff=True)[0])
        page = browser.get(path)

        assert page.status_code == 404
        assert "Page not found" in page.content.decode()
        assert LOOK in page.content.decode()


@pytest.mark.django_db
def test_a_forbidden_page_says_so():
    browser = Client()
    browser.force_login(User.objects.create(username="fiona", is_staff=True))

    page = browser.get("/admin/billing/customer/")

    assert page.status_code == 403
    assert "Not allowed" in page.content.decode()
    assert LOOK in page.content.decode()


@pytest.mark.django_db
def test_a_form_without_its_token_says_that_nothing_was_saved():
    page = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "fiona"})

    assert page.status_code == 403
    assert "Nothing was saved." in page.content.decode()
    assert LOOK in page.content.decode()


def test_a_request_that_cannot_be_read_says_so():
    page = Client().get("/admin/", headers={"host": "elsewhere.example"})

    assert page.status_code == 400
    assert "Bad request" in page.content.decode()
    assert LOOK in page.content.decode()


def test_a_refused_request_is_logged_in_one_line(monkeypatch):
    (handler,) = (one for one in logging.getLogger().handlers if any(isinstance(each, InALine) for each in one.filters))
    monkeypatch.setattr(handler, "stream", StringIO())

    Client().get("/admin/", headers={"host": "elsewhere.example"})

    (told,) = handler.stream.getvalue().strip().splitlines()
    assert "Invalid HTTP_HOST header: 'elsewhere.example'" in told


@pytest.mark.django_db
def test_a_form_of_too_many_fields_says_how_many_it_may_have():
    page = Client().post("/admin/login/", {f"field-{n}": "" for n in range(10_001)})

    assert page.status_code == 400
    assert "more than 10000 fields" in page.content.decode()
    assert "Nothing was saved." in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/nowhere/", "/piriod/nowhere/", "/sequence/api/nowhere"])
def test_an_api_answers_for_itself(path):
    response = Client().get(path)

    assert "json" in response.headers["Content-Type"]
