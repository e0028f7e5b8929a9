"""The program as a newcomer starts it: a server process on SQLite, reached over HTTP, without a message broker."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

pytestmark = [pytest.mark.once, pytest.mark.together]

NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    var: Path = tmp_path_factory.mktemp("var")
    without = {"DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS"}
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    # Nothing listens on port 1: a Redis that is down.
    return inherited | {"ARREARS_VAR": str(var), "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[str]:
    manage(environment, "migrate", "--verbosity", "0")
    manage(environment, "demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([sys.executable, "-m", "config.web", *options], env=environment)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_it_answers(url: str) -> None:
    for _ in range(200):
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not start")


@pytest.fixture(scope="module")
def facts(environment: dict[str, str], server: str) -> dict[str, Any]:
    return json.loads(manage(environment, "demo", "--json"))["dialects"]


def send(method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    with urlopen(request, timeout=20) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def test_a_piriod_client_reports_reads_and_deletes_usage(server, facts):
    piriod = facts["piriod"]
    usages = f"{server}{piriod['base_url']}/usages/"
    sent = {"subscription_line": piriod["subscription_line"], "date_time": NOW, "quantity": 7.25}

    created, usage = send("POST", usages, piriod["headers"], sent)
    read = send("GET", f"{usages}{usage['id']}/", piriod["headers"])
    listed, page = send("GET", f"{usages}?subscription_line={piriod['subscription_line']}", piriod["headers"])
    deleted = send("DELETE", f"{usages}{usage['id']}/", piriod["headers"])

    assert (created, usage["quantity"], usage["creation_scheme"]) == (201, 7.25, "api")
    assert read == (200, usage)
    assert (listed, page["results"][0]) == (200, usage)
    assert deleted == (204, None)


def test_piriods_test_mode_is_another_workspace(server, facts):
    piriod = facts["piriod"]
    headers = piriod["headers"] | piriod["test_mode_header"]
    sent = {"subscription_line": piriod["test_subscription_line"], "date_time": NOW, "quantity": 1}

    created, _ = send("POST", f"{server}/piriod/usages/", headers, sent)
    _, page = send("GET", f"{server}/piriod/usages/", headers)

    assert (created, page["count"]) == (201, 1)


@pytest.mark.parametrize(("brick", "slash"), [("counter_brick_id", ""), ("gauge_brick_id", "/")])
def test_a_salesbricks_client_reports_changes_and_deletes_usage(server, facts, brick, slash):
    salesbricks = facts["salesbricks_v2"]
    url = f"{server}{salesbricks['base_url']}/usage{slash}"
    entry = {"transaction_id": f"tx-{brick}"}
    sent = entry | {
        "subscription_id": salesbricks["subscription_id"],
        "brick_id": salesbricks[brick],
        "value": 3,
        "time": NOW,
    }

    answers = [
        send("POST", url, salesbricks["headers"], sent),
        send("PATCH", url, salesbricks["headers"], entry | {"value": 4}),
        send("DELETE", url, salesbricks["headers"], entry),
    ]

    assert answers == [
        (201, {"message": "Usage entry submitted successfully."}),
        (200, {"message": "Usage entry updated successfully."}),
        (200, {"message": "Usage entry deleted successfully."}),
    ]


def test_the_admin_asks_for_a_login(server):
    with urlopen(f"{server}/admin/", timeout=20) as page:
        assert page.url == f"{server}/admin/login/?next=/admin/"
        assert page.status == 200
