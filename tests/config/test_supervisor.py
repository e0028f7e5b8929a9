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
        assert time.monotonic() < deadline, "waited in vain"
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


def test_supervisor_starts_all_and_leaves_nothing_behind(start, port):
    supervisor = start()
    wait_until(lambda: answers(port))
    assert len(children(supervisor)) == 3
    supervisor.send_signal(signal.SIGTERM)
    output = supervisor.communicate(timeout=30)[0]
    assert supervisor.returncode == 0, output
    assert not answers(port)


def test_supervisor_starts_killed_children_again(start, port):
    supervisor = start()
    wait_until(lambda: answers(port))
    killed = children(supervisor)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(children(supervisor) - killed) == 3 and answers(port))


def test_supervisor_refuses_a_port_in_use(start, port):
    with socket.create_server(("127.0.0.1", port)):
        output = start().communicate(timeout=30)[0]
    assert output == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another: make run PORT=8001\n"
    )
