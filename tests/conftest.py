import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from django.conf import settings as django_settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.db.backends.signals import connection_created
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, sync_playwright

from billing import keys
from config.celery import app
from tests import bound, services

hypothesis_settings.register_profile("arrears", deadline=None, print_blob=True)
hypothesis_settings.load_profile("arrears")


services.queue_in_memory(app)
connection_created.connect(bound.watch)
# Each test has a client with the whole middleware, which would look through all static files first.
django_settings.WHITENOISE_AUTOREFRESH = True


# Measuring costs two thirds as much again. So it is of the tests that mirror the code, not of those that go through all
# of it once more; on PostgreSQL, of what differs there.
MIRRORS = ("billing", "config", "usage")
MIRRORS_ON_POSTGRESQL = ("billing/storage", "billing/invoicing", "usage/ledger", "usage/metering", "usage/closing")
TESTS = Path(__file__).parent


def is_measured(item: pytest.Item) -> bool:
    """Tell whether a test counts for coverage on the database at hand."""
    path = item.path.relative_to(TESTS)
    if connection.vendor != "postgresql":
        return path.parts[0] in MIRRORS
    return item.get_closest_marker("postgres") is not None or any(map(path.is_relative_to, MIRRORS_ON_POSTGRESQL))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unusable = {service.mark for service in services.look() if service.missing}
    # The pass on SQLite comes first, and is there on every machine.
    unusable.add("once" if connection.vendor == "postgresql" else "postgres")
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in unusable)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        # What a module has built for all of its tests is built once, in one process.
        if item.get_closest_marker("together"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))  # type: ignore[attr-defined]  # a function's
        if not is_measured(item):
            item.add_marker("no_cover")
        # One Redis database, one screen, one folder of packages: tests that use them take turns.
        for mark in ("redis", "browser", "node"):
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.xdist_group(mark))


def pytest_report_header() -> list[str]:
    return [f"database: {services.database_name()}"] + [
        f"left out: {service.name} ({service.missing})" for service in services.look() if service.missing
    ]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Draw the primary keys of lines far from their numbers, so that no test can take one for the other."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence('billing_line', 'id'), 1000000)")
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'billing_line'")
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('billing_line', 1000000)")


@pytest.fixture(autouse=True)
def _no_trusted_keys() -> None:
    """Keys of a test that is over went away with its rows."""
    keys.forget_trusted()
    keys.forget_noted()


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Leave the connection, in whose transaction the test stands, open over a request's beginning and end."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def eager_tasks() -> Iterator[Celery]:
    """Run tasks at once, in this process, where they would be queued."""
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield app
    app.conf.update(task_always_eager=False, task_eager_propagates=False)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Give the URL of a Redis database that is empty, and is emptied again."""
    with redis.Redis.from_url(services.REDIS_URL) as client:
        client.flushdb()
        yield services.REDIS_URL
        client.flushdb()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # Playwright's synchronous interface keeps an event loop in this thread, for which Django refuses the ORM.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        # In a container, Chromium neither has a sandbox of its own nor a large /dev/shm.
        browser = playwright.chromium.launch(
            executable_path=services.CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
