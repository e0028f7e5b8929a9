"""Environment of a test process, and the services that the suite may use.

Loaded as a pytest plugin before the settings, so that any way of starting pytest is safe: no test process touches
`var/`, and none uses a message broker that others consume from.
"""

import atexit
import functools
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass

import psycopg
import redis
from celery import Celery

# Freshly filled tables look large to the planner, which then compiles a query for longer than it runs.
os.environ.setdefault("PGOPTIONS", "-c jit=off")

POSTGRES_URL = os.environ.get("TEST_DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
REDIS_URL = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/9"
CHROMIUM = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or ""


@dataclass(frozen=True, slots=True)
class Service:
    mark: str
    name: str
    missing: str
    hint: str


def postgres_missing() -> str:
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def redis_missing() -> str:
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return str(error)
    return ""


@functools.cache
def look() -> list[Service]:
    """Return each service that the suite can use. `missing` is empty or says why it cannot be used."""
    unwanted = "SERVICES=none" if os.environ.get("SERVICES") == "none" else ""
    return [
        Service(
            mark="postgres",
            name="PostgreSQL",
            missing=unwanted or postgres_missing(),
            hint="apt install postgresql, or set TEST_DATABASE_URL to a role that may create databases",
        ),
        Service(
            mark="redis",
            name="Redis",
            missing=unwanted or redis_missing(),
            hint="apt install redis-server, or set TEST_REDIS_URL to a database that may be emptied",
        ),
        Service(
            mark="browser",
            name="Chromium",
            missing=unwanted or ("" if CHROMIUM else "no chromium on the PATH"),
            hint="apt install chromium, or set TEST_CHROMIUM to the executable",
        ),
        Service(
            mark="node",
            name="Node.js",
            missing=unwanted or ("" if shutil.which("node") and shutil.which("npm") else "no node and npm on the PATH"),
            hint="apt install nodejs npm",
        ),
    ]


NO_BROKER = "redis://127.0.0.1:1/0"


def queue_in_memory(app: Celery) -> None:
    """Keep the tasks that this process sends in memory, whatever its settings say."""
    # Celery prefers the variable to its settings.
    os.environ.pop("CELERY_BROKER_URL", None)
    app.conf.update(broker_url="memory://", broker_transport_options={})


def pytest_addoption() -> None:
    """Prepare the environment: pytest calls this hook before pytest-django reads the settings."""
    # A process that another test process started (xdist) shares its folder and must not remove it.
    if "ARREARS_TEST_VAR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="arrears-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["ARREARS_TEST_VAR"] = folder
    os.environ["ARREARS_VAR"] = os.environ["ARREARS_TEST_VAR"]
    # With a database server this is production, which refuses a broker in memory. The tests' process gets one later.
    os.environ["CELERY_BROKER_URL"] = NO_BROKER if os.environ.get("DATABASE_URL") else "memory://"
    os.environ["HTTPS"] = "0"
    os.environ["STATIC_COLLECTED"] = "0"
    if os.environ.get("DATABASE_URL"):
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("ALLOWED_HOSTS", "localhost,127.0.0.1")


def database_name() -> str:
    return "PostgreSQL" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "SQLite"
