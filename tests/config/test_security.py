import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from config import security
from config.settings import API_MIDDLEWARE, BASE
from tests.billing.admin.staff import administrator
from tests.usage.dialects.shared.assertions import asked, assert_refused, nothing_changed, undone
from tests.usage.dialects.vendors import each_vendor

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HEADER = "Content-Security-Policy"


def directives(response):
    return dict(part.partition(" ")[::2] for part in response.headers[HEADER].split("; "))


def test_a_page_runs_no_script_but_from_a_file_of_this_host():
    for page in (Client().get("/admin/login/"), administrator().get("/admin/"), Client().get("/docs/native/")):
        assert page.status_code == 200
        found = directives(page)
        assert found["script-src"] == "'self' 'unsafe-eval'"
        assert found["default-src"] == found["form-action"] == "'self'"
        assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == "'none'"


def test_no_template_of_ours_holds_a_script_or_a_handler():
    inline = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\son[a-z]+=|javascript:", re.IGNORECASE)
    templates = list(Path(BASE / "templates").rglob("*.html"))

    assert len(templates) > 20
    assert [str(path) for path in templates if inline.search(path.read_text())] == []


def test_the_documents_may_send_to_the_vendors_own_hosts(settings):
    settings.DIALECT_HOSTS = {"usage.example.com": "piriod"}

    assert "connect-src 'self' usage.example.com:*;" in security.policy()


def test_an_api_sends_no_page_and_no_policy():
    assert HEADER not in Client().get("/piriod/usages/").headers
    assert HEADER not in Client().get(reverse("api_pages:json", args=["native"])).headers


@each_vendor
def test_a_request_in_the_clear_is_refused_in_the_vendors_shape_and_not_led_on(vendor, settings):
    world = vendor.world()
    settings.SECURE_SSL_REDIRECT = True
    settings.MIDDLEWARE = API_MIDDLEWARE
    message = "This API is served over https only. A key sent over plain http may have been intercepted: replace it."

    with nothing_changed():
        for endpoint in vendor.paths:
            assert_refused(vendor.ask(endpoint, world), vendor, 403, message)
    for endpoint in vendor.endpoints:
        with undone():
            response = vendor.ask(endpoint, world, secure=True)
            assert response.status_code < 300, asked(response)


def test_a_page_in_the_clear_is_led_on(settings):
    settings.SECURE_SSL_REDIRECT = True

    response = Client().get("/admin/login/")

    assert (response.status_code, response.headers["Location"]) == (301, "https://testserver/admin/login/")
