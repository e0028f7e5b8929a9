"""Faults: their target, their kind, and the repair if the target does not recover by itself."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import redis

from billing.models import CloseRun
from tests.faults.processes import send, wait_for
from tests.faults.ways import Way

RETURN_SECONDS = 90
REFUSALS = {
    "NOREPLICAS": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    "READONLY": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    "OOM": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
}


@dataclass(frozen=True)
class Fault:
    target: str
    kind: str

    def __str__(self) -> str:
        return f"{self.target}: {self.kind}"


def plan(rng: random.Random, targets: tuple[str, ...], *, kills: int, others: int) -> list[Fault]:
    """Draw ``kills`` kills of each target, one of them plain, and ``others`` gentler faults, in random order."""
    faults = []
    for target in targets:
        drawn = ["SIGKILL", *(rng.choice(KILLS[target]) for _ in range(kills - 1))]
        faults += [Fault(target, kind) for kind in drawn]
    gentler = [Fault(target, kind) for target in targets for kind in OTHERS[target]]
    faults += rng.sample(gentler, others)
    rng.shuffle(faults)
    return faults


def strike(fault: Fault, way: Way, rng: random.Random) -> None:
    """Wait until the target is up, and strike it. Return once a temporary fault has passed."""
    wait_for(lambda: way.processes_of(fault.target), f"the return of {fault.target}", seconds=RETURN_SECONDS)
    STRIKES[fault.kind](fault, way, rng)


def _kill(fault: Fault, way: Way, rng: random.Random) -> None:
    """Kill the main process or, as often, one of its descendants."""
    processes = way.processes_of(fault.target)
    main_or_other = processes[:1] if rng.random() < 0.5 else processes
    if main_or_other:
        send(rng.choice(main_or_other), signal.SIGKILL)


def _terminate(fault: Fault, way: Way, rng: random.Random) -> None:
    for pid in way.processes_of(fault.target)[:1]:
        send(pid, signal.SIGTERM)


def _stop_a_while(fault: Fault, way: Way, rng: random.Random) -> None:
    processes = way.processes_of(fault.target)
    try:
        for pid in processes:
            send(pid, signal.SIGSTOP)
        time.sleep(rng.uniform(0.5, 3))
    finally:
        for pid in processes:
            send(pid, signal.SIGCONT)


def _kill_between_statements(fault: Fault, way: Way, rng: random.Random) -> None:
    """Kill a worker that has a transaction open but no statement running."""
    if way.database:
        _wait_between_statements(way, seconds=10)
    else:
        # SQLite does not show transactions: while a run is at work, most moments qualify.
        with suppress(Exception):
            wait_for(lambda: CloseRun.objects.filter(state__in=CloseRun.ACTIVE).exists(), "", seconds=10)
    for pid in way.processes_of(fault.target):
        send(pid, signal.SIGKILL)


def _wait_between_statements(way: Way, *, seconds: float) -> None:
    asked = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE application_name LIKE 'worker%' AND state = 'idle in transaction' AND query !~ '^BEGIN'"
    )
    deadline = time.monotonic() + seconds
    with suppress(psycopg.Error), psycopg.connect(way.database, connect_timeout=5, autocommit=True) as connection:
        while time.monotonic() < deadline and not connection.execute(asked).fetchone():
            time.sleep(0.002)


def _restart_immediately(fault: Fault, way: Way, rng: random.Random) -> None:
    _signal_main(way, fault, signal.SIGQUIT)


def _restart_fast(fault: Fault, way: Way, rng: random.Random) -> None:
    _signal_main(way, fault, signal.SIGINT)


def _signal_main(way: Way, fault: Fault, number: int) -> None:
    for pid in way.processes_of(fault.target)[:1]:
        os.kill(pid, number)


def _kill_a_backend(fault: Fault, way: Way, rng: random.Random) -> None:
    """Kill one backend: PostgreSQL then terminates all others and recovers."""
    with suppress(psycopg.Error), psycopg.connect(way.database, connect_timeout=5, autocommit=True) as connection:
        asked = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        backends = [pid for (pid,) in connection.execute(asked).fetchall()]
        if backends:
            send(rng.choice(sorted(backends)), signal.SIGKILL)


def _refuse_writes(fault: Fault, way: Way, rng: random.Random) -> None:
    refuse, take_again = REFUSALS[rng.choice([*REFUSALS])]
    with redis.Redis(port=way.redis_port or 0, socket_timeout=5) as client:
        try:
            with suppress(redis.RedisError):
                client.execute_command(*refuse.split())
            time.sleep(rng.uniform(1, 4))
        finally:
            with suppress(redis.RedisError):
                client.execute_command(*take_again.split())


STRIKES: dict[str, Callable[[Fault, Way, random.Random], None]] = {
    "SIGKILL": _kill,
    "SIGTERM": _terminate,
    "SIGSTOP for a while": _stop_a_while,
    "SIGKILL between two statements": _kill_between_statements,
    "immediate restart": _restart_immediately,
    "fast restart": _restart_fast,
    "SIGKILL of a backend": _kill_a_backend,
    "refuses writes": _refuse_writes,
}
# Faults that end a target without a clean-up, and faults that it can prepare for or outlive.
KILLS = {
    "web": ["SIGKILL"],
    "worker": ["SIGKILL", "SIGKILL between two statements"],
    "schedule": ["SIGKILL"],
    "supervisor": ["SIGKILL"],
    "postgresql": ["SIGKILL", "immediate restart", "SIGKILL of a backend"],
    "redis": ["SIGKILL"],
}
OTHERS = {
    "web": ["SIGTERM", "SIGSTOP for a while"],
    "worker": ["SIGTERM", "SIGSTOP for a while"],
    "schedule": ["SIGTERM", "SIGSTOP for a while"],
    "supervisor": ["SIGTERM"],
    "postgresql": ["SIGSTOP for a while", "fast restart"],
    "redis": ["SIGTERM", "SIGSTOP for a while", "refuses writes"],
}
