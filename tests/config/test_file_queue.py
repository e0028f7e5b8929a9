"""The embedded mode's message broker after killed processes and full disks."""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

import config.celery  # noqa: F401  (it registers our transport)
from config import file_queue
from config.settings import BASE

pytestmark = pytest.mark.once

QUEUE = Queue("celery", Exchange("celery"), routing_key="celery")

PRODUCER = """
import sys
from tests.config.test_file_queue import connect, send
with connect(sys.argv[1]) as connection:
    for number in range(int(sys.argv[3])):
        send(connection, f"{sys.argv[2]}-{number}")
"""
CONSUMER = """
import socket, sys
from tests.config.test_file_queue import QUEUE, connect
def got(body, message):
    print(body, flush=True)
    message.ack()
with connect(sys.argv[1]) as connection, connection.Consumer(QUEUE, callbacks=[got]):
    while True:
        try:
            connection.drain_events(timeout=3)
        except socket.timeout:
            break
"""


def connect(folder: str | Path) -> Connection:
    options = {name: str(Path(folder) / "messages") for name in ("data_folder_in", "data_folder_out")}
    control = {"control_folder": str(Path(folder) / "control"), "polling_interval": 0.001}
    return Connection("filesystem://", transport_options={**options, **control})


def send(connection: Connection, body: str) -> None:
    connection.Producer().publish(body, exchange=QUEUE.exchange, routing_key="celery", declare=[QUEUE])


def received(connection: Connection) -> list[str]:
    channel: Any = connection.default_channel
    bodies = []
    while message := channel.basic_get("celery", no_ack=True):
        bodies.append(message.payload)
    return bodies


@pytest.fixture
def connection(tmp_path, monkeypatch):
    # Declarations are kept for the whole process: start as a process that has declared nothing yet.
    monkeypatch.setattr(file_queue.Transport, "global_state", type(file_queue.Transport.global_state)())
    with connect(tmp_path) as connection:
        yield connection


@pytest.mark.parametrize(
    "torn", [b"", b'{"body": "W', b"null", b"[]", b"3", b"{}", b'{"body": "", "properties": {}}', b"\xff\xfe\x00"]
)
def test_a_message_that_can_not_be_read_is_passed_over(connection, tmp_path, torn):
    send(connection, "first")
    (tmp_path / "messages" / "0_torn.celery.msg").write_bytes(torn)
    send(connection, "second")

    assert received(connection) == ["first", "second"]
    assert os.listdir(tmp_path / "messages") == []


@pytest.mark.parametrize("torn", [b"", b'[["celery", ""', b"null", b"{}", b'[["celery"]]', b"\xff", None])
def test_a_table_that_can_not_be_read_is_made_anew(connection, tmp_path, torn):
    send(connection, "first")
    table = tmp_path / "control" / "celery.exchange"
    if torn is None:
        table.unlink()
    else:
        table.write_bytes(torn)

    send(connection, "second")

    assert received(connection) == ["first", "second"]
    assert file_queue.loads(table.read_text()) == [["celery", "", "celery"]]


def test_a_process_that_starts_over_a_torn_table_replaces_it(connection, tmp_path):
    (tmp_path / "control").mkdir()
    table = tmp_path / "control" / "celery.exchange"
    table.write_bytes(b"")

    send(connection, "first")

    assert received(connection) == ["first"]


def test_a_table_that_can_not_be_written_is_an_error_of_the_queue(connection, tmp_path):
    # A folder in place of the file, which nobody can replace by a file.
    (tmp_path / "control" / "celery.exchange" / "x").mkdir(parents=True)

    with pytest.raises(connection.channel_errors):
        send(connection, "first")


def test_what_a_killed_process_left_aside_is_removed_after_an_hour(connection, tmp_path):
    send(connection, "first")
    old, new = (tmp_path / "messages" / f"1_{age}.celery.msg.x.aside" for age in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b'{"bo')
    os.utime(old, (time.time() - 3601,) * 2)

    assert received(connection) == ["first"]
    assert os.listdir(tmp_path / "messages") == [new.name]


def test_a_folder_that_was_removed_holds_no_message(connection, tmp_path):
    send(connection, "lost")
    shutil.rmtree(tmp_path / "messages")

    assert received(connection) == []
    send(connection, "first")
    assert received(connection) == ["first"]


def test_many_messages_of_several_processes_are_taken_once_each(tmp_path):
    connect(tmp_path).default_channel.close()
    (tmp_path / "messages" / "0_torn.celery.msg").write_bytes(b"")

    def start(script: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-c", script, str(tmp_path), *arguments]
        return subprocess.Popen(command, cwd=BASE, stdout=subprocess.PIPE, text=True)

    consumers = [start(CONSUMER) for _ in range(3)]
    producers = [start(PRODUCER, str(number), "400") for number in range(3)]
    said, _ = ([process.communicate(timeout=60)[0] for process in processes] for processes in (consumers, producers))

    assert [process.returncode for process in (*consumers, *producers)] == [0] * 6
    taken = Counter(body for text in said for body in text.split())
    assert taken == Counter({f"{producer}-{number}": 1 for producer in range(3) for number in range(400)})
