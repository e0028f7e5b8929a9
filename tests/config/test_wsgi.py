import io
from typing import Any

import pytest

from config.wsgi import application

pytestmark = pytest.mark.django_db


def ask(path: str, host: str = "localhost") -> tuple[str, dict[str, str]]:
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answer.update(status=status, headers=dict(headers))

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": host,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
    }
    response = application(environ, start_response)
    body = b"".join(response)
    assert int(answer["headers"]["Content-Length"]) == len(body)
    return answer["status"], answer["headers"]


def test_an_api_answers_without_what_pages_need():
    status, headers = ask("/piriod/usages/")

    assert status == "401 Unauthorized"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize("path", ["/admin/login/", "/piriodical/", "/"])
def test_all_else_is_a_page(path):
    _, headers = ask(path)

    assert headers["X-Frame-Options"] == "DENY"
