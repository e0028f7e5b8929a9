"""One record a request, each dialect, against a bare view with one INSERT: same server, same database, in turns."""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from billing import contracts, keys, parties
from billing.models import Line
from tests import factories as make
from tests.bench.load import Target, requests_a_second
from tests.bench.report import Row

ROUNDS = 5
SECONDS = 3.0
LINES = 500
PORTS = count(8951)


def run() -> list[Row]:
    """Measure every dialect in turns with the limit, and quote the median of the rounds' ratios."""
    targets, bare = _targets()
    with (
        _server("config.wsgi:application", "config.settings") as ours,
        _server("tests.bench.bare:application", "tests.bench.bare_settings") as limit,
    ):
        return [_row(name, target, ours, bare, limit) for name, target in targets.items()]


def _row(name: str, target: Target, ours: int, bare: Target, limit: int) -> Row:
    numbers = count(1, 10_000_000)
    for one, port in ((target, ours), (bare, limit)):
        requests_a_second(one, port=port, seconds=1, first=next(numbers))
    rounds = [
        (
            requests_a_second(target, port=ours, seconds=SECONDS, first=next(numbers)),
            requests_a_second(bare, port=limit, seconds=SECONDS, first=next(numbers)),
        )
        for _ in range(ROUNDS)
    ]
    mine, theirs = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds)
    return Row(f"intake, {name}", f"{mine:,.0f} /s", f"{theirs:,.0f} /s", f"{ratio:.2f}", ">= 0.5")


def _targets() -> tuple[dict[str, Target], Target]:
    workspace = parties.create_workspace(code="bench", name="Bench", time_zone="UTC", currency="USD")
    _, key = keys.create_key(workspace=workspace, name="bench", created_by="bench")
    brick = make.brick(workspace)
    price, customer = make.price(brick), make.customer(workspace)
    # Many customers' services report at the same time, not one.
    lines = [
        contracts.add_line(subscription=make.subscription(customer), brick=brick, price=price) for _ in range(LINES)
    ]

    def line(n: int) -> Line:
        return lines[n % LINES]

    def at(n: int) -> str:
        return f"2026-01-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00Z"

    piriod = Target(
        path="/piriod/usages/",
        headers={"Authorization": f"Token {key}", "x-simple-workspace": "bench"},
        body=lambda n: f'{{"subscription_line": {line(n).pk}, "date_time": "{at(n)}", "quantity": {n % 100}.25}}',
    )
    salesbricks = Target(
        path="/salesbricks/api/v2/usage",
        headers={"X-SALESBRICKS-KEY": key},
        body=lambda n: (
            f'{{"transaction_id": "tx-{n}", "subscription_id": "{line(n).subscription_id}",'
            f' "brick_id": "{brick.pk}", "value": {n % 100}, "time": "{at(n)}"}}'
        ),
    )
    bare = Target(
        path="/bare/",
        headers={},
        body=lambda n: (
            f'{{"workspace": {workspace.pk}, "line": {line(n).pk}, "quantity": {n % 100}.25, "date_time": "{at(n)}"}}'
        ),
    )
    return {"Piriod": piriod, "Salesbricks v2": salesbricks}, bare


@contextmanager
def _server(application: str, settings: str) -> Iterator[int]:
    port = next(PORTS)
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws", "--log-level", "warning"]
    options += ["--blocking-threads", "8", "--backpressure", "64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, application],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": settings},
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The server did not start.")
