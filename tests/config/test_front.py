"""The web server with all kinds of clients: slow, large and interrupted requests, and honest ones among them."""

import json
import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.config.server import answers, ask, chunked, connect, embedded, head, manage, read, serving, wait_until

pytestmark = [pytest.mark.once, pytest.mark.together]

CONNECTIONS = 200
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    folder = tmp_path_factory.mktemp("var")
    environment = embedded(folder)
    manage(environment, "migrate", "--verbosity", "0")
    manage(environment, "demo")
    return folder


@pytest.fixture(scope="module")
def facts(var):
    return json.loads(manage(embedded(var), "demo", "--json"))["dialects"]


@pytest.fixture(scope="module")
def patient(var):
    """Start a server that gives bodies a minute."""
    with serving(embedded(var, BODY_GRACE_SECONDS=60)) as (port, _):
        yield port


@pytest.fixture(scope="module")
def strict(var):
    """Start a server that gives bodies one second, and then requires 1,000 bytes per second."""
    settings = {"BODY_GRACE_SECONDS": 1, "BODY_BYTES_PER_SECOND": 1000, "BODIES_AT_ONCE": 5, "BODY_SPOOL_BYTES": 5000}
    with serving(embedded(var, **settings)) as (port, _):
        yield port


@pytest.fixture(scope="module")
def echo(var):
    with serving(embedded(var), "granian", "--interface", "rsgi", "--no-ws", "tests.config.echo:application") as (
        port,
        _,
    ):
        yield port


@pytest.fixture
def piriod(facts):
    """Return a function that gives a usage report as its client sends it: path, headers, body."""
    about = facts["piriod"]

    def usage(quantity: int = 1) -> tuple[str, dict[str, str], bytes]:
        sent = {"subscription_line": about["subscription_line"], "date_time": NOW, "quantity": quantity}
        headers = {**about["headers"], "Content-Type": "application/json"}
        return f"{about['base_url']}/usages/", headers, json.dumps(sent).encode()

    return usage


def recorded(port, piriod) -> int:
    path, headers, _ = piriod()
    return json.loads(ask(port, "GET", path, headers).body)["count"]


def workers(pid: int) -> list[int]:
    """Return the worker processes of a server. If they are spawned, multiprocessing adds one of its own."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize("attacked", ["log-in", "API", "chunked API"])
def test_slow_bodies_delay_no_other_client(patient, piriod, attacked):
    path, headers, body = piriod()
    begun = {
        "log-in": head("POST", "/admin/login/", {"Content-Length": 1000}) + b"a",
        "API": head("POST", path, {**headers, "Content-Length": 1000}) + b"{",
        "chunked API": head("POST", path, {**headers, "Transfer-Encoding": "chunked"}) + b"1\r\n{\r\n",
    }[attacked]
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(patient, begun)) for _ in range(CONNECTIONS)]
        time.sleep(0.5)

        for _ in range(20):
            for connection in slow[::10]:
                connection.sendall(b"1\r\n \r\n" if attacked == "chunked API" else b" ")
            began = time.monotonic()
            assert ask(patient, "GET", "/healthz").status == 200
            assert ask(patient, "POST", path, headers, body).status == 201
            assert time.monotonic() - began < 2

        for connection in slow:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
    # The server notices closed connections only after a while, and the following tests are the same client.
    wait_until(lambda: ask(patient, "POST", path, headers, body).status == 201)


@pytest.mark.bound("BODY_BYTES_PER_SECOND", "BODY_GRACE_SECONDS")
def test_a_body_that_comes_too_slowly_is_refused(strict, piriod):
    path, headers, body = piriod()
    before = recorded(strict, piriod)
    framings: list[tuple[dict[str, Any], bytes]] = [
        ({"Content-Length": len(body)}, body[:-1]),
        ({"Content-Length": 6000}, body[:-1]),
        ({"Transfer-Encoding": "chunked"}, chunked(body[:-1])[:-5]),
    ]
    for framing, part in framings:
        with connect(strict, head("POST", path, headers | framing) + part) as connection:
            answer = read(connection)

            assert (answer.status, json.loads(answer.body)) == (408, {"detail": "The body arrived too slowly."}), (
                framing
            )
    with connect(strict, head("POST", "/admin/login/", {"Content-Length": 50}) + b"a") as connection:
        answer = read(connection)

        assert answer.status == 408
        assert b"<h1>The form arrived too slowly</h1>" in answer.body
    assert recorded(strict, piriod) == before


@pytest.mark.bound("BODY_BYTES_PER_SECOND", "BODY_SPOOL_BYTES")
def test_a_large_body_may_take_its_time(strict, piriod):
    path, headers, body = piriod()
    body = body.ljust(20_000)
    with connect(strict, head("POST", path, headers | {"Content-Length": len(body)})) as connection:
        for start in range(0, len(body), 4_000):
            connection.sendall(body[start : start + 4_000])
            time.sleep(0.7)

        assert read(connection).status == 201


@pytest.mark.bound("BODIES_AT_ONCE")
def test_of_too_many_bodies_the_oldest_is_refused(var, piriod):
    path, headers, body = piriod()
    with serving(embedded(var, BODIES_AT_ONCE=5)) as (port, _), ExitStack() as stack:
        begun = head("POST", path, headers | {"Content-Length": len(body)})
        waiting = []
        for _ in range(6):
            waiting.append(stack.enter_context(connect(port, begun)))
            time.sleep(0.2)

        assert read(waiting[0]).status == 408
        for connection in waiting[1:]:
            connection.sendall(body)
            assert read(connection).status == 201


def test_a_body_of_unknown_length_is_read_to_its_end(patient, piriod):
    path, headers, body = piriod()
    framing = headers | {"Transfer-Encoding": "chunked"}
    for chunks in [[body], [body[:1], body[1:]], [body.ljust(1024 * 1024)]]:
        with connect(patient, head("POST", path, framing) + chunked(*chunks)) as connection:
            assert read(connection).status == 201


def test_a_body_may_end_with_the_trailers_that_it_announces(patient, piriod):
    path, headers, body = piriod()
    framing = headers | {"Transfer-Encoding": "chunked"}
    whole, broken = (chunked(sent).removesuffix(b"\r\n") + b"X-Checksum: 1\r\n\r\n" for sent in (body, body[:-1]))
    before = recorded(patient, piriod)
    for announced, sent, status in [({"Trailer": "X-Checksum"}, whole, 201), ({"Trailer": "X-Checksum"}, broken, 400)]:
        with connect(patient, head("POST", path, framing | announced) + sent) as connection:
            assert read(connection).status == status
    assert recorded(patient, piriod) == before + 1
    # A truncated form is still a valid form.
    form = {"Transfer-Encoding": "chunked", "Trailer": "X-Checksum"}
    with connect(patient, head("POST", "/admin/login/", form) + whole) as connection:
        assert read(connection).status == 400


@pytest.mark.bound("API_BODY_BYTES", "FORM_BODY_BYTES")
def test_a_body_is_bounded_however_it_comes(patient, piriod):
    path, headers, body = piriod()
    large = body.ljust(1024 * 1024 + 1)
    known, unknown = {"Content-Length": len(large)}, {"Transfer-Encoding": "chunked"}
    before = recorded(patient, piriod)

    framings: list[tuple[dict[str, Any], bytes]] = [
        (known, large),
        (unknown, chunked(large)),
        ({"Content-Length": 10**12}, b"{"),
        # The chunks decide where it ends, whatever the length says.
        (unknown | {"Content-Length": 5}, chunked(large)),
    ]
    for framing, sent in framings:
        with connect(patient, head("POST", path, headers | framing) + sent) as connection:
            answer = read(connection)

            assert answer.status == 413
            assert json.loads(answer.body) == {"detail": "A request has at most 1048576 bytes."}
    answer = ask(patient, "POST", "/admin/login/", body=b"a" * (5 * 1024 * 1024 + 1))
    assert answer.status == 413
    assert b"<h1>The form is too large</h1>" in answer.body
    # A body within the limit is read, and refused for its missing CSRF token.
    assert ask(patient, "POST", "/admin/login/", body=b"a" * (5 * 1024 * 1024)).status == 403
    assert recorded(patient, piriod) == before


def test_a_missing_key_is_reported_before_a_large_body(patient, piriod):
    path, _, body = piriod()
    assert ask(patient, "POST", path, body=body.ljust(1024 * 1024 + 1)).status == 401


@pytest.mark.parametrize("ending", ["closes", "waits"])
def test_a_body_that_breaks_off_is_not_taken(patient, piriod, ending):
    path, headers, body = piriod()
    before = recorded(patient, piriod)
    framings: list[tuple[dict[str, Any], bytes]] = [
        ({"Content-Length": len(body) + 1}, body),
        ({"Content-Length": 300_000}, body),
        ({"Transfer-Encoding": "chunked"}, chunked(body)[:-5]),
        ({"Transfer-Encoding": "chunked"}, chunked(body)[:-8]),
        ({"Transfer-Encoding": "chunked"}, b"zz\r\n"),
    ]
    for framing, sent in framings:
        with connect(patient, head("POST", path, headers | framing) + sent) as connection:
            if ending == "waits":
                connection.shutdown(socket.SHUT_WR)
                assert read(connection).status == 400
    time.sleep(0.5)
    assert recorded(patient, piriod) == before


def test_a_client_may_ask_before_it_sends(patient, piriod):
    path, headers, body = piriod()
    asks = headers | {"Expect": "100-continue"}
    with connect(patient, head("POST", path, asks | {"Content-Length": len(body)})) as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read(connection).status == 201
    with connect(patient, head("POST", path, asks | {"Content-Length": 1024 * 1024 + 1})) as connection:
        assert read(connection).status == 413


def test_a_connection_is_used_again_and_again(patient, piriod):
    path, headers, body = piriod()
    request = head("POST", path, headers | {"Content-Length": len(body)}) + body
    with connect(patient) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert read(connection).status == 201


def test_static_files_are_sent_in_whole_and_in_part(patient):
    path = "/static/admin/css/base.css"
    whole = ask(patient, "GET", path)
    part = ask(patient, "GET", path, {"Range": "bytes=10-19"})
    known = ask(patient, "GET", path, {"If-None-Match": whole.headers["ETag"]})
    about = ask(patient, "HEAD", path)
    missing = ask(patient, "GET", path, {"Range": "bytes=99999999-"})

    assert (whole.status, whole.headers["Content-Length"]) == (200, str(len(whole.body)))
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert (known.status, known.body) == (304, b"")
    assert (about.status, about.headers["Content-Length"], about.body) == (200, str(len(whole.body)), b"")
    assert missing.status == 416


def test_slow_readers_delay_no_other_client(patient):
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connect(patient, head("GET", path)))
        time.sleep(0.5)

        assert ask(patient, "GET", "/healthz").status == 200


@pytest.mark.bound("--http1-header-read-timeout")
def test_connections_that_never_come_to_a_request_are_ended(var):
    with serving(embedded(var, GRANIAN_HTTP1_HEADER_READ_TIMEOUT=1000)) as (port, _):
        for begun in (b"", b"G", b"GET / HTTP/1.1\r\nHost: "):
            with connect(port, begun) as connection:
                assert connection.recv(1000) in (b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"), begun


def test_a_page_and_its_head_have_the_same_length(patient):
    page, about = ask(patient, "GET", "/admin/login/"), ask(patient, "HEAD", "/admin/login/")

    assert (page.status, about.status, about.body) == (200, 200, b"")
    assert page.headers["Content-Type"] == about.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_application_receives_what_was_sent(echo):
    sent = (
        b"PUT /a%20b/%C3%BC/%2F/%FF//c/?q=%20&r=\xc3\xbc HTTP/1.1\r\nHost: h.example:81\r\nContent-Type: text/plain\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nX-Twice: 1\r\nx-twice: 2\r\nX_Forwarded_Proto: https\r\nX-Key: \xff\r\n"
        b"X-Forwarded-For: 203.0.113.9\r\nContent-Length: 3\r\n\r\n\x00\xff\n"
    )
    with connect(echo, sent) as connection:
        told = json.loads(read(connection).body)

    expected = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/a b/\xc3\xbc///\xef\xbf\xbd//c/",
        "QUERY_STRING": "q=%20&r=\xc3\xbc",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(echo),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "h.example:81",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_TWICE": "1,2",
        "HTTP_X_KEY": "\N{REPLACEMENT CHARACTER}",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        "body": "\x00\xff\n",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert "HTTP_X_FORWARDED_PROTO" not in told


def test_a_request_without_a_body_has_none(echo):
    told = json.loads(ask(echo, "POST", "/").body)

    assert (told["CONTENT_LENGTH"], told["body"], told.get("CONTENT_TYPE")) == ("0", "", None)


def test_an_answer_can_come_in_pieces(echo):
    assert ask(echo, "GET", "/stream").body == b"one,two,three"


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_a_request_is_ended_as_django_ends_it(echo, path):
    before = json.loads(ask(echo, "GET", "/").body)["closed"]

    ask(echo, "GET", path)

    # The request before, and this one.
    time.sleep(0.2)
    assert json.loads(ask(echo, "GET", "/").body)["closed"] == before + 2


@pytest.mark.parametrize("varies", [False, True], ids=["one key", "one key and something else each time"])
def test_slow_answers_to_one_client_hold_up_no_other(echo, varies):
    for name in ("one", "another"):
        ask(echo, "GET", "/", {"Authorization": f"Token {name}", "X-Let-In": name})
    with ExitStack() as stack:
        for n in range(20):
            more = {"Reb-Apikey": n} if varies else {}
            asked = {"Authorization": "Token one", "X-Let-In": "one", **more}
            stack.enter_context(connect(echo, head("GET", "/slow", asked)))
        time.sleep(0.3)
        began = time.monotonic()

        assert ask(echo, "GET", "/", {"Authorization": "Token another"}).status == 200

        # Each of the slow requests takes one second.
        assert time.monotonic() - began < 0.9


@pytest.mark.bound("REQUESTS_WAITING")
def test_more_requests_than_may_wait_are_refused(var):
    options = ["granian", "--interface", "rsgi", "--no-ws", "tests.config.echo:application"]
    with serving(embedded(var, REQUESTS_WAITING=3), *options) as (port, _), ExitStack() as stack:
        slow = [stack.enter_context(connect(port, head("GET", "/slow")))]
        # The first is being handled before the others arrive, however busy the machine is.
        time.sleep(0.3)
        slow += [stack.enter_context(connect(port, head("GET", "/slow"))) for _ in range(9)]
        answers = [read(connection) for connection in slow]

    # Strangers have one thread: one request is being handled and three wait. The program refuses the others, or the
    # server does if too many wait even for that.
    let_through = [b"arrears.unread" not in answer.body for answer in answers if answer.status == 200]
    assert sum(let_through) == 4
    assert {answer.status for answer in answers} <= {200, 503}


def test_a_cookie_that_cannot_be_read_fails_no_page(patient):
    request = b"GET /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: a=\xc3\xa9\r\n\r\n"
    with connect(patient, request) as connection:
        assert read(connection).status == 200


def test_a_request_on_its_way_is_answered_before_the_end(var):
    options = ["granian", "--interface", "rsgi", "--no-ws", "tests.config.echo:application"]
    with serving(embedded(var), *options) as (port, process), connect(port, head("GET", "/slow")) as connection:
        time.sleep(0.3)
        process.terminate()

        assert read(connection).status == 200


def test_a_killed_worker_is_started_again(var):
    with serving(embedded(var)) as (port, process):
        (worker,) = workers(process.pid)
        assert ask(port, "GET", "/healthz").status == 200
        os.kill(worker, signal.SIGKILL)

        wait_until(lambda: workers(process.pid) not in ([], [worker]))
        wait_until(lambda: answers(port))
        assert process.poll() is None


@pytest.mark.bound("--backpressure")
def test_as_many_connections_as_the_limit_are_open_and_one_more_waits_to_be_accepted(var):
    def silent(connection: socket.socket) -> bool:
        connection.settimeout(1)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return True

    with serving(embedded(var), "config.web", "--backpressure", "2") as (port, _), ExitStack() as stack:
        request = head("GET", "/livez")
        first, second = (stack.enter_context(connect(port, request)) for _ in range(2))
        assert [read(connection).status for connection in (first, second)] == [200, 200]
        third = stack.enter_context(connect(port, request))
        assert silent(third)

        first.close()
        third.settimeout(10)
        assert read(third).status == 200
