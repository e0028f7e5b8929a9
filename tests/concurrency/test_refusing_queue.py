"""A Redis that refuses writes for a while, because it became a replica or has lost its own."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from billing.models import CloseRun, Invoice
from config import health
from config.celery import app
from tests import factories as make
from tests.concurrency.processes import call, environment, wait_for, worker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on the PATH"),
]

REFUSALS = {
    "NOREPLICAS": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    "READONLY": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    "OOM": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """Start a Redis of this test's own, which it may break."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path), "--loglevel", "warning"]
    with subprocess.Popen(command) as process, redis.Redis(port=port) as client:
        wait_for(lambda: answers(client))
        yield client
        process.terminate()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_worker_outlives_a_queue_that_refuses_and_closes_after_it(tmp_path: Path, server: redis.Redis, refusal: str):
    line = make.line()
    make.use(line, "5", "2026-01-10")
    env = environment(tmp_path, broker=f"redis://127.0.0.1:{port_of(server)}/0")
    refuse, take_again = REFUSALS[refusal]

    with worker(env, pool="prefork") as running:
        call("manage.py", "close", "--workspace", "acme", "--until", "2026-01-31", "--queue", env=env)
        wait_for(lambda: has_state(CloseRun.State.REVIEW))
        server.execute_command(*refuse.split())
        late = make.line(make.workspace("late"))
        make.use(late, "5", "2026-01-10")
        said = call("manage.py", "close", "--workspace", "late", "--until", "2026-01-31", "--queue", env=env)
        time.sleep(8)
        assert running.poll() is None
        server.execute_command(*take_again.split())
        call("-m", "celery", "-A", "config", "call", "usage.sweep", env=env)
        wait_for(lambda: has_state(CloseRun.State.REVIEW))

    assert said == f"{CloseRun.objects.latest('pk')} is queued for the workers.\n"
    assert Invoice.objects.count() == 2


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_queue_that_refuses_is_not_ready(server: redis.Redis, refusal: str):
    refuse, take_again = REFUSALS[refusal]
    before = app.conf.broker_write_url
    app.conf.update(broker_write_url=f"redis://127.0.0.1:{port_of(server)}/0")
    try:
        found = [health.queue()["status"]]
        for command in (refuse, take_again):
            server.execute_command(*command.split())
            found.append(health.queue()["status"])
    finally:
        app.conf.update(broker_write_url=before)

    assert found == ["ok", "refuses writes", "ok"]


def port_of(server: redis.Redis) -> int:
    return int(server.connection_pool.connection_kwargs["port"])


def has_state(state: str) -> bool:
    return CloseRun.objects.latest("pk").state == state
