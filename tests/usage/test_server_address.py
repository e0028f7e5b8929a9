"""A server publishes its address in its folder while it runs, and commands read it there."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from granian.cli import cli

from config import web
from tests.config.server import embedded, manage, serving, wait_until
from usage import server_address

pytestmark = pytest.mark.once


def base_of(env: dict[str, str]) -> str:
    base: str = json.loads(manage(env, "demo", "--json"))["base"]
    return base


def test_commands_go_by_where_the_web_server_runs_while_it_does(tmp_path):
    env = {name: value for name, value in embedded(tmp_path / "var").items() if name not in ("PORT", "HOST")}
    manage(env, "migrate")

    with serving(env) as (port, _):
        wait_until(lambda: server_address.address_in(tmp_path / "var"))
        assert base_of(env) == f"http://127.0.0.1:{port}"
        assert f"BASE=http://127.0.0.1:{port}\n" in manage(env, "demo", "--shell")
        assert (tmp_path / "var" / "address").stat().st_mode & 0o077 == 0
    assert base_of(env) == "http://127.0.0.1:8000"


TELLS = "import sys, time; from pathlib import Path; from usage import server_address; "
TELLS += "server_address.publish_while_alive(Path(sys.argv[1]), sys.argv[2]); print('.', flush=True); time.sleep(60)"


@contextmanager
def telling(folder: Path, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that publishes an address, or waits to do so, until it is killed."""
    with subprocess.Popen([sys.executable, "-c", TELLS, str(folder), address], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_of_two_servers_the_second_tells_once_the_first_is_gone(tmp_path):
    with telling(tmp_path, "http://127.0.0.1:1") as first:
        wait_until(lambda: server_address.address_in(tmp_path) == "http://127.0.0.1:1")
        with telling(tmp_path, "http://127.0.0.1:2"):
            assert server_address.address_in(tmp_path) == "http://127.0.0.1:1"
            first.kill()
            wait_until(lambda: server_address.address_in(tmp_path) == "http://127.0.0.1:2")
    assert server_address.address_in(tmp_path) is None


def test_a_waiting_server_publishes_its_address_after_the_first_ends(tmp_path):
    with ExitStack() as second:
        with server_address.published_in(tmp_path, "http://127.0.0.1:1"):
            second.enter_context(telling(tmp_path, "http://127.0.0.1:2"))
            assert server_address.address_in(tmp_path) == "http://127.0.0.1:1"
        wait_until(lambda: server_address.address_in(tmp_path) == "http://127.0.0.1:2")


def test_a_folder_that_can_not_be_written_keeps_no_server_from_starting(tmp_path):
    (tmp_path / "var").write_text("no folder")

    server_address.publish_while_alive(tmp_path / "var", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], "http://127.0.0.1:8000"),
        (["--port", "8200"], "http://127.0.0.1:8200"),
        (["--host", "0.0.0.0", "--port", "8200"], "http://127.0.0.1:8200"),
        (["--host", "::1"], "http://[::1]:8000"),
        (["--ssl-certificate", __file__, "--ssl-keyfile", __file__], "https://127.0.0.1:8000"),
        (["--uds", "/tmp/arrears.sock"], None),
    ],
)
def test_address_is_the_one_of_the_options(arguments, address):
    read = cli.make_context("granian", [*arguments, "config.front:application"])

    assert web.address_by(read.params) == address
