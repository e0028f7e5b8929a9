"""Tasks of the queue: handed over once what they are about is committed, and never lost where the queue is down."""

import logging

import pytest
from celery import current_app
from django.conf import settings as configured
from django.db import transaction
from kombu.exceptions import OperationalError

from billing.models import CloseRun
from tests import factories as make
from usage import closing, schedule, tasks
from usage.models import Matching

pytestmark = pytest.mark.django_db

AT = make.moment("2026-02-01")


def run_over(line) -> CloseRun:
    return closing.start(workspace=line.workspace, until_at=AT, as_of=AT, actor=make.ACTOR)


@pytest.fixture
def sent(monkeypatch) -> list[dict[str, int]]:
    """Return the arguments of what is put into the queue."""
    found: list[dict[str, int]] = []
    for task in (tasks.work_on_close, tasks.match_events):
        monkeypatch.setattr(task, "delay", lambda **arguments: found.append(arguments))
    return found


def test_a_run_is_handed_to_so_many_workers_once_it_is_committed(sent, settings, django_capture_on_commit_callbacks):
    settings.CLOSE_WORKERS = 3
    run = run_over(make.line())

    with django_capture_on_commit_callbacks(execute=True):
        tasks.enqueue(run)
        assert sent == []

    assert sent == [{"workspace_id": run.workspace_id, "run_id": run.pk}] * 3


def test_a_run_that_is_rolled_back_is_handed_to_nobody(sent, django_capture_on_commit_callbacks):
    run = run_over(make.line())

    @transaction.atomic
    def fail() -> None:
        tasks.enqueue(run)
        raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        fail()

    assert sent == []


def test_a_matching_is_handed_to_one_worker(sent, settings, django_capture_on_commit_callbacks):
    settings.CLOSE_WORKERS = 3
    matching = Matching(pk=7, workspace_id=3)

    with django_capture_on_commit_callbacks(execute=True):
        tasks.enqueue_matching(matching)

    assert sent == [{"workspace_id": 3, "matching_id": 7}]


@pytest.mark.parametrize("error", [OperationalError("refused"), ConnectionRefusedError(111, "refused")])
def test_while_the_queue_is_down_a_run_waits_for_the_sweep(
    error, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def fail(**_):
        raise error

    monkeypatch.setattr(tasks.work_on_close, "delay", fail)
    run = run_over(make.line())

    with caplog.at_level(logging.WARNING), django_capture_on_commit_callbacks(execute=True):
        tasks.enqueue(run)

    assert [record.getMessage() for record in caplog.records] == [
        f"The queue is unavailable ({error}): {run} waits for the sweep"
    ]


def test_an_error_of_the_program_is_none_of_the_queue(monkeypatch, django_capture_on_commit_callbacks):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(tasks.work_on_close, "delay", fail)

    with pytest.raises(ZeroDivisionError), django_capture_on_commit_callbacks(execute=True):
        tasks.enqueue(run_over(make.line()))


def test_the_sweep_hands_over_what_is_silent_and_notes_its_turn(monkeypatch):
    run = run_over(make.line())
    handed: list[CloseRun] = []
    monkeypatch.setattr(tasks, "enqueue", handed.append)

    # The run began in the past of whoever runs this test.
    tasks.sweep()

    assert handed == [run]
    assert schedule.last_turn(task="usage.sweep") is not None


def test_each_task_of_the_schedule_is_one_of_these():
    known = {name for name in current_app.tasks if name.startswith("usage.")}

    assert {turn["task"] for turn in configured.CELERY_BEAT_SCHEDULE.values()} <= known
