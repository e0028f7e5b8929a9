"""The two ways of running the program, each with its own servers and ports, on loopback only."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from tests.faults.processes import Manager, Service, command_of, descendants, wait_for

# Short, so that the sweep resumes a killed worker's run within its turns; small batches, so that kills hit some.
PACE = {"CLOSE_HEARTBEAT_SECONDS": "3", "CLOSE_BATCH": "4", "CLOSE_WORKERS": "2", "LOG_LEVEL": "WARNING"}
START_SECONDS = 60
PLAIN = {"STATIC_COLLECTED": "0", "HTTPS": "0", "PYTHONUNBUFFERED": "1", "PORT": "0"}
CELERY = [sys.executable, "-m", "celery", "-A", "config"]


@dataclass
class Way:
    """Running installation: where it listens, what can be struck, and what the checks need."""

    name: str
    folder: Path
    manager: Manager
    port: int
    environment: dict[str, str]
    redis_port: int | None = None
    database: str = ""
    targets: tuple[str, ...] = ()
    services: dict[str, list[Service]] = field(default_factory=dict)

    def start(self) -> None:
        """Start the program. The database must have been prepared."""
        START[self.name](self)

    def processes_of(self, target: str) -> list[int]:
        """Return the current processes of a target, main ones first. Empty if it is down."""
        if self.name == "embedded" and target != "supervisor":
            supervisor = self.services["supervisor"][0]
            below = descendants(supervisor.pid) if supervisor.is_running else []
            main = [pid for pid in below if MAIN[target] in command_of(pid)]
            return [pid for one in main[:1] for pid in (one, *descendants(one))]
        running = [service for service in self.services[target] if service.is_running]
        return [pid for service in running for pid in (service.pid, *descendants(service.pid))]

    def add(self, target: str, command: list[str], name: str = "", **options: object) -> None:
        name = name or target
        log = self.folder / "logs" / f"{name}.log"
        environment = {**self.environment, "PGAPPNAME": name}
        service = Service(name, command, environment, log, **options)  # type: ignore[arg-type]
        self.services.setdefault(target, []).append(self.manager.add(service))


# Command line parts that tell the supervisor's children apart.
MAIN = {"web": "config.web", "worker": " worker ", "schedule": " beat "}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _environment(folder: Path, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DEBUG")}
    return {**plain, **PLAIN, **PACE, "ARREARS_VAR": str(folder / "var"), **more}


@contextmanager
def embedded(folder: Path) -> Iterator[Way]:
    """Run SQLite and the filesystem broker under ``config.supervisor``, as ``make run`` does."""
    with Manager() as manager:
        port = free_port()
        environment = _environment(folder, PORT=str(port), CELERY_BROKER_URL="filesystem://localhost")
        targets = ("web", "worker", "schedule", "supervisor")
        yield Way("embedded", folder, manager, port, environment, targets=targets)


def _start_embedded(way: Way) -> None:
    way.add("supervisor", [sys.executable, "-m", "config.supervisor"], last_word=signal.SIGTERM)


@contextmanager
def production(folder: Path) -> Iterator[Way]:
    """Run PostgreSQL, Redis, two web processes, two workers and one schedule, started as the README says."""
    with ExitStack() as stack:
        data = stack.enter_context(_data_folder())
        manager = stack.enter_context(Manager())
        database, cluster = _cluster(data, folder / "logs", manager)
        redis_port, broker = _broker(folder, manager)
        environment = _environment(
            folder,
            DATABASE_URL=database,
            CELERY_BROKER_URL=f"redis://127.0.0.1:{redis_port}/0",
            CACHE_URL=f"redis://127.0.0.1:{redis_port}/1",
            SECRET_KEY=secrets.token_urlsafe(50),
            ALLOWED_HOSTS="127.0.0.1",
        )
        targets = ("web", "worker", "schedule", "postgresql", "redis")
        way = Way("production", folder, manager, free_port(), environment, redis_port, database, targets)
        way.services = {"postgresql": [cluster], "redis": [broker]}
        yield way


def _start_production(way: Way) -> None:
    web = [sys.executable, "-m", "config.web", "--workers", "2", "--host", "127.0.0.1", "--port", str(way.port)]
    way.add("web", [*web, "--log-level", "warning"])
    for number in (1, 2):
        way.add("worker", [*CELERY, "worker", "--concurrency", "1", "-n", f"worker-{number}@%h"], f"worker-{number}")
    way.add("schedule", [*CELERY, "beat", "--pidfile="])


@contextmanager
def _data_folder() -> Iterator[Path]:
    """Create a folder owned by the user that PostgreSQL runs as: an unprivileged user if this one is root."""
    folder = Path(tempfile.mkdtemp(prefix="arrears-faults-postgresql-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cluster(data: Path, logs: Path, manager: Manager) -> tuple[str, Service]:
    """Create and start a PostgreSQL cluster."""
    programs = postgresql_programs()
    assert programs is not None
    password = secrets.token_urlsafe(20)
    (data / "password").write_text(password)
    user = unprivileged_user()
    for path in (data, data / "password"):
        if user is not None:
            os.chown(path, *user)
    made_by = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    initdb = [programs / "initdb", "-D", data / "cluster", "-U", "faults", "--auth=scram-sha-256", "-E", "UTF8"]
    with (logs / "initdb.log").open("wb") as log:
        command = [*initdb, "--locale=C", f"--pwfile={data / 'password'}"]
        subprocess.run(command, check=True, stdout=log, stderr=log, cwd="/", **made_by)  # type: ignore[call-overload]
    port = free_port()
    command = [str(programs / "postgres"), "-D", str(data / "cluster"), "-p", str(port)]
    for option in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB"):
        command += ["-c", option]
    # Fast shutdown in the end; immediate shutdown, with all backends, if the manager is gone.
    signals = {"farewell": signal.SIGINT, "last_word": signal.SIGQUIT}
    log_path = logs / "postgresql.log"
    service = Service("postgresql", command, os.environ, log_path, runs_as=user, **signals)  # type: ignore[arg-type]
    manager.add(service)
    url = f"postgres://faults:{password}@127.0.0.1:{port}/postgres"
    wait_for(lambda: reaches_postgresql(url), "the start of PostgreSQL", seconds=START_SECONDS)
    return url, service


def _broker(folder: Path, manager: Manager) -> tuple[int, Service]:
    port = free_port()
    program = shutil.which("redis-server")
    assert program is not None
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    service = manager.add(Service("redis", command, os.environ, folder / "logs" / "redis.log"))
    wait_for(lambda: reaches_redis(port), "the start of Redis", seconds=START_SECONDS)
    return port, service


def reaches_postgresql(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def reaches_redis(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=2) as client:
            return bool(client.set("reached", 1, ex=1))
    except redis.RedisError:
        return False


def postgresql_programs() -> Path | None:
    """Return the folder of this machine's newest PostgreSQL programs: Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0, default=None)
    return newest and newest.parent


def unprivileged_user() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415  # exists on POSIX only

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise SystemExit("PostgreSQL refuses to run as root, and there is no user postgres or nobody.")


WAYS = {"embedded": embedded, "production": production}
START = {"embedded": _start_embedded, "production": _start_production}
