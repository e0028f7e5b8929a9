import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from config import settings

pytestmark = [pytest.mark.once, pytest.mark.together]


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(tmp_path, port):
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "config.supervisor"],
            cwd=settings.BASE,
            env={
                **os.environ,
                "ARREARS_VAR": str(tmp_path / "var"),
                "DATABASE_URL": "",
                "CELERY_BROKER_URL": "",
                "PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)


def answers(port):
    try:
        urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
    except OSError:
        return False
    return True


def children(process):
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


def test_supervisor_starts_all_again_when_killed_and_leaves_nothing_behind(start, port):
    supervisor = start()
    wait_until(lambda: answers(port))
    killed = children(supervisor)
    assert len(killed) == 3
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(children(supervisor) - killed) == 3 and answers(port))
    supervisor.send_signal(signal.SIGTERM)
    output = supervisor.communicate(timeout=30)[0]
    assert supervisor.returncode == 0, output
    assert not answers(port)


def base_by(tmp_path, form, **environment):
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", form],
        cwd=settings.BASE,
        env={
            **{name: value for name, value in os.environ.items() if name not in ("PORT", "HOST")},
            "ARREARS_VAR": str(tmp_path / "var"),
            "DATABASE_URL": "",
            "CELERY_BROKER_URL": "",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["base"] if form == "--json" else done.stdout.splitlines()[0]


def test_the_demo_says_where_the_server_is_that_runs(start, port, tmp_path):
    supervisor = start()
    wait_until(lambda: answers(port))
    assert base_by(tmp_path, "--shell") == f"BASE=http://127.0.0.1:{port}"
    # The variable takes precedence over the running server.
    assert base_by(tmp_path, "--json", PORT="1234") == "http://127.0.0.1:1234"

    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not answers(port))
    assert base_by(tmp_path, "--json") == "http://127.0.0.1:8000"

    supervisor = start()
    wait_until(lambda: answers(port))
    assert base_by(tmp_path, "--json") == f"http://127.0.0.1:{port}"
    supervisor.terminate()
    supervisor.communicate(timeout=30)
    assert not (tmp_path / "var" / "address").exists()
    assert base_by(tmp_path, "--json") == "http://127.0.0.1:8000"


def test_supervisor_refuses_a_port_in_use(start, port):
    with socket.create_server(("127.0.0.1", port)):
        output = start().communicate(timeout=30)[0]
    assert output == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another: make run PORT=8001\n"
    )


def test_web_whose_supervisor_is_gone_ends_by_itself(tmp_path, port):
    # The signal of the supervisor's death may be lost while the server starts: here nobody sends one.
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    command = [sys.executable, "-m", "config.web", "--port", str(port), "--log-level", "warning"]
    environment = {**os.environ, "ARREARS_VAR": str(tmp_path / "var"), "DATABASE_URL": "", "CELERY_BROKER_URL": ""}
    web = subprocess.Popen(command, env={**environment, "ARREARS_SUPERVISOR": str(gone.pid)}, start_new_session=True)

    try:
        web.wait(timeout=30)
    finally:
        web.kill()
    assert not answers(port)
