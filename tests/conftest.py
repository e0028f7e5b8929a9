import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from _pytest.nodeid import NodeId
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
# Each test has a client with the whole middleware, which would otherwise scan all static files first.
django_settings.WHITENOISE_AUTOREFRESH = True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unusable = {service.mark for service in services.look() if service.missing}
    # The SQLite pass comes first, and runs on every machine.
    unusable.add("once" if connection.vendor == "postgresql" else "postgres")
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in unusable)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        # A module's shared set-up is built once, in one process.
        if item.get_closest_marker("together"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))  # type: ignore[attr-defined]  # a function has a module
        # There is one Redis database, one screen and one package folder: tests that use them take turns.
        for mark in ("redis", "browser", "node"):
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.xdist_group(mark))
        if getattr(config.option, "loadgroup", False):
            _name_its_group(item)


def _name_its_group(item: pytest.Item) -> None:
    """Append a test's group to its id, where the scheduler of pytest-xdist reads it.

    pytest-xdist 3.8 writes the id of pytest before 9.2, which pytest 9.2 does not read: groups would have no effect.
    """
    groups = sorted({mark.args[0] for mark in item.iter_markers("xdist_group")})
    if groups:
        item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(groups)}")


def pytest_report_header() -> list[str]:
    return [f"database: {services.database_name()}"] + [
        f"left out: {service.name} ({service.missing})" for service in services.look() if service.missing
    ]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Draw the primary keys of lines far from their numbers, so that no test can mistake one for the other."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence('billing_line', 'id'), 1000000)")
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'billing_line'")
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('billing_line', 1000000)")


@pytest.fixture(autouse=True)
def _no_trusted_keys() -> None:
    """Forget the keys of earlier tests: their rows are gone."""
    keys.forget_trusted()
    keys.forget_noted()


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Keep the connection, which holds the test's transaction, open across the beginning and end of requests."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def eager_tasks() -> Iterator[Celery]:
    """Run tasks at once in this process instead of queuing them."""
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield app
    app.conf.update(task_always_eager=False, task_eager_propagates=False)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Yield the URL of a Redis database that is emptied before and after."""
    with redis.Redis.from_url(services.REDIS_URL) as client:
        client.flushdb()
        yield services.REDIS_URL
        client.flushdb()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Playwright's synchronous interface keeps an event loop in this thread as long as it runs: Django refuses the ORM
    # there, and the tests that follow could start no loop of their own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        # In a container, Chromium has neither a sandbox of its own nor a large /dev/shm.
        browser = playwright.chromium.launch(
            executable_path=services.CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
