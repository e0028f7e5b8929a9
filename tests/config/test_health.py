"""Health checks."""

from datetime import timedelta

import pytest
from django.conf import settings as given
from django.db import connection
from django.utils import timezone

from config import health
from config.celery import app
from tests.failures import lost_connection
from usage import schedule, tasks

PROBES = ["/livez", "/healthz", "/readyz"]


@pytest.fixture(autouse=True)
def _nothing_kept():
    health._readiness.forget()


@pytest.fixture
def swept():
    """Return a function that records a completed sweep of the given age."""

    def sweep(seconds: float) -> None:
        schedule.note_turn(task=tasks.sweep.name, as_of=timezone.now() - timedelta(seconds=seconds))

    return sweep


def down(*_):
    raise lost_connection()


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "elsewhere.example", "usage.example.com", "bad host!", ""])
@pytest.mark.parametrize("path", PROBES)
def test_probes_are_answered_whatever_the_host(client, settings, path, host, swept):
    settings.DIALECT_HOSTS = {"usage.example.com": "piriod"}
    settings.SECURE_SSL_REDIRECT = True
    swept(5)

    response = client.get(path, headers={"host": host})

    assert (response.status_code, response.json()["status"]) == (200, "ok")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PROBES)
def test_probes_are_read_only(client, path):
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_the_apis_answer_probes_below_a_vendors_host():
    assert given.MIDDLEWARE[0] == given.API_MIDDLEWARE[0] == "config.health.answer_probes"


@pytest.mark.django_db
def test_without_its_database_the_process_is_alive_and_not_healthy(client):
    with connection.execute_wrapper(down):
        alive, healthy, ready = (client.get(path) for path in PROBES)

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (healthy.status_code, healthy.json()) == (503, {"status": "database unavailable"})
    assert (ready.status_code, ready.json()) == (
        503,
        {
            "status": "unavailable",
            "database": {"status": "unavailable"},
            "queue": {"status": "ok"},
            "schedule": {"status": "unknown", "last_sweep_at": None, "age_seconds": None},
        },
    )
    assert healthy.headers["Retry-After"] == ready.headers["Retry-After"] == "5"


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_database_that_takes_no_changes_is_not_healthy(client):
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    alive, healthy, ready = (client.get(path) for path in PROBES)

    assert (alive.status_code, healthy.status_code, ready.status_code) == (200, 503, 503)
    assert healthy.json() == {"status": "database refuses writes"}
    assert ready.json()["database"] == {"status": "refuses writes"}


@pytest.mark.bound("SWEEP_LATE_SECONDS")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("age", "status", "whole"), [(119, "ok", "ok"), (121, "late", "degraded"), (None, "never", "degraded")]
)
def test_readiness_tells_the_age_of_the_last_sweep(age, status, whole):
    now = timezone.now()
    swept_at = None if age is None else now - timedelta(seconds=age)
    if swept_at is not None:
        schedule.note_turn(task=tasks.sweep.name, as_of=swept_at)

    assert health.readiness(as_of=now) == {
        "status": whole,
        "database": {"status": "ok"},
        "queue": {"status": "ok"},
        "schedule": {
            "status": status,
            "last_sweep_at": swept_at and swept_at.isoformat(),
            "age_seconds": age,
        },
    }


@pytest.mark.django_db
def test_the_sweep_notes_that_it_ran_through(eager_tasks):
    began = timezone.now()

    for _ in range(2):
        tasks.sweep.delay()

        swept_at = schedule.last_turn(task=tasks.sweep.name)
        assert swept_at is not None
        assert began <= swept_at <= timezone.now()


@pytest.mark.django_db
def test_without_its_queue_a_process_goes_on_taking_usage(client, swept):
    swept(5)
    app.conf.broker_write_url, before = "redis://127.0.0.1:1/0", app.conf.broker_write_url
    try:
        response = client.get("/readyz")
    finally:
        app.conf.broker_write_url = before

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["queue"] == {"status": "unavailable"}


@pytest.mark.django_db
def test_asking_often_costs_nothing(client, swept, django_assert_num_queries):
    swept(5)
    first = client.get("/readyz").json()

    with django_assert_num_queries(0):
        assert client.get("/readyz").json() == first
