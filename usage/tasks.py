"""Tasks of the queue: each loads its data, makes one call of the domain, and can be run again at any time."""

import logging
from collections.abc import Sequence
from typing import Any

from celery import current_app, shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from billing import actors
from billing.actors import Actor
from billing.models import CloseRun, Customer
from usage import closing, ledger, schedule
from usage.dialects.shared import idempotency
from usage.models import Matching

logger = logging.getLogger(__name__)


@shared_task(name="usage.work_on_close")
def work_on_close(*, workspace_id: int, run_id: int, **_: Any) -> None:
    actor = actors.schedule("work_on_close")
    closing.work(workspace_id=workspace_id, run_id=run_id, actor=actor, clock=timezone.now)


@shared_task(name="usage.close_due")
def close_due(**_: Any) -> None:
    closing.close_due(actor=actors.schedule("close_due"), as_of=timezone.now(), hand_over=enqueue)


@shared_task(name="usage.sweep")
def sweep(**_: Any) -> None:
    now = timezone.now()
    for run in closing.stalled(as_of=now):
        enqueue(run)
    for matching in ledger.stalled_matchings(as_of=now):
        enqueue_matching(matching)
    schedule.note_turn(task=sweep.name, as_of=timezone.now())


@shared_task(name="usage.count_usages")
def count_usages(**_: Any) -> None:
    ledger.count_usages()


@shared_task(name="usage.match_events")
def match_events(*, workspace_id: int, matching_id: int, **_: Any) -> None:
    ledger.work_on_matching(workspace_id=workspace_id, matching_id=matching_id, clock=timezone.now)


def match_waiting(customer: Customer, names: Sequence[str], actor: Actor) -> None:
    """Match unmatched events under aliases with their customer: a few immediately, many by the workers."""
    for matching in ledger.match_waiting(customer, names, actor=actor):
        enqueue_matching(matching)


@shared_task(name="usage.expire_replies")
def expire_replies(**_: Any) -> None:
    idempotency.expire_replies(as_of=timezone.now())


def enqueue(run: CloseRun) -> None:
    """Enqueue a run once it is committed. While the queue is down, it waits for the sweep."""
    transaction.on_commit(lambda: _send(run, work_on_close, settings.CLOSE_WORKERS, run_id=run.pk))


def enqueue_matching(matching: Matching) -> None:
    """Enqueue a matching once it is committed. While the queue is down, it waits for the sweep."""
    transaction.on_commit(lambda: _send(matching, match_events, 1, matching_id=matching.pk))


def _send(job: CloseRun | Matching, task: Any, workers: int, **arguments: Any) -> None:
    try:
        for _ in range(workers):
            task.delay(workspace_id=job.workspace_id, **arguments)
    except _queue_errors() as error:
        logger.warning("The queue is unavailable (%s): %s waits for the sweep", error, job)


def _queue_errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions of the configured queue, which must not affect committed data."""
    queue = current_app.connection_for_write()
    return (KombuError, OSError, *queue.connection_errors, *queue.channel_errors)
