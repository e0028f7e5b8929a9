"""A job whose worker is gone is taken up by one caller, in any workspace."""

from datetime import timedelta

import pytest

from billing.models import CloseRun
from tests import factories as make
from usage.heartbeats import take_up_silent

pytestmark = pytest.mark.django_db

NOW = make.moment("2026-02-01 12:00")


@pytest.fixture(autouse=True)
def _a_minute(settings):
    settings.CLOSE_HEARTBEAT_SECONDS = 60


def run(code: str, *, silent_for: float) -> CloseRun:
    at = NOW - timedelta(seconds=silent_for)
    return CloseRun.objects.create(
        workspace=make.workspace(code), until_at=NOW, started_by="finance", started_at=at, heartbeat_at=at
    )


def taken() -> list[CloseRun]:
    return take_up_silent(CloseRun.objects.all(), as_of=NOW)


def test_a_job_is_silent_after_a_minute_and_not_before():
    run("acme", silent_for=60)
    silent = run("initech", silent_for=60.000001)

    assert taken() == [silent]


def test_a_job_that_was_taken_up_has_a_heartbeat_again():
    silent = run("acme", silent_for=300)

    assert taken() == [silent]
    silent.refresh_from_db()
    assert silent.heartbeat_at == NOW
    assert taken() == []


def test_a_job_that_another_caller_has_taken_up_meanwhile_is_left_to_it():
    silent, other = run("acme", silent_for=300), run("initech", silent_for=300)

    class Overtaken(type(CloseRun.objects.all())):
        """Rows that somebody else takes up once they are read."""

        def __iter__(self):
            found = list(super().__iter__())
            CloseRun.objects.filter(workspace=silent.workspace_id, pk=silent.pk).update(heartbeat_at=NOW)
            return iter(found)

    assert take_up_silent(Overtaken(CloseRun), as_of=NOW) == [other]


def test_only_what_is_asked_for_is_taken_up():
    asked, other = run("acme", silent_for=300), run("initech", silent_for=300)

    at_work = CloseRun.objects.filter(workspace=asked.workspace_id)

    assert take_up_silent(at_work, as_of=NOW) == [asked]
    other.refresh_from_db()
    assert other.heartbeat_at < NOW
