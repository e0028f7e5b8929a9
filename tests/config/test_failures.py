import pytest
from django.db import connection
from django.test import Client
from psycopg import errors

from tests.failures import lost_connection, raised


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
    assert "The database is out of reach. Try again in a moment." in page


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
