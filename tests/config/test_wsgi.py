import io
from typing import Any

import pytest

from config.wsgi import application

pytestmark = pytest.mark.django_db


def environ_of(path: str, host: str = "localhost") -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": host,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
    }


def ask(path: str, host: str = "localhost") -> tuple[str, dict[str, str]]:
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answer.update(status=status, headers=dict(headers))

    response = application(environ_of(path, host), start_response)
    body = b"".join(response)
    assert int(answer["headers"]["Content-Length"]) == len(body)
    return answer["status"], answer["headers"]


@pytest.mark.parametrize("path", ["/piriod/usages/", "//piriod/usages/", "/piriod//usages"])
def test_an_api_answers_without_what_pages_need(path):
    status, headers = ask(path)

    assert status == "401 Unauthorized"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize(
    "path", ["/piriod", "/rebilly", "/api", "/salesbricks/api/v1", "//salesbricks/api/v2", "/sequence/api"]
)
def test_a_mount_without_its_slash_is_not_redirected(path):
    status, headers = ask(path)

    assert status in ("401 Unauthorized", "404 Not Found")
    assert headers["Content-Type"] in ("application/json", "application/problem+json")
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize("path", ["/sequence", "/salesbricks", "/salesbricks/api"])
def test_what_is_above_a_mount_is_not_redirected(path):
    assert ask(path)[0] == "404 Not Found"


@pytest.mark.parametrize("path", ["/admin/login/", "/piriodical/", "/"])
def test_all_else_is_a_page(path):
    _, headers = ask(path)

    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("path", "limit"), [("/piriod/usages/", 1024 * 1024), ("/admin/login/", 5 * 1024 * 1024)])
def test_under_another_server_a_body_of_unknown_length_is_read_where_that_tells_its_end(path, limit):
    environ = environ_of(path) | {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"a" * (limit + 9))}

    for _ in application(environ | {"wsgi.input_terminated": True}, lambda status, headers: None):
        pass
    assert environ["wsgi.input"].tell() == limit + 1
