"""What the queue runs: load, one call. Every task can be run again at any time."""

import logging
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from billing.models import CloseRun
from usage import closing
from usage.dialects import idempotency

logger = logging.getLogger(__name__)


@shared_task(name="usage.work_on_close")
def work_on_close(*, run_id: int, **_: Any) -> None:
    closing.work(run_id=run_id, clock=timezone.now)


@shared_task(name="usage.close_due")
def close_due(**_: Any) -> None:
    for run in closing.close_due(as_of=timezone.now()):
        enqueue(run)


@shared_task(name="usage.sweep")
def sweep(**_: Any) -> None:
    for run in closing.stalled(as_of=timezone.now()):
        enqueue(run)


@shared_task(name="usage.expire_replies")
def expire_replies(**_: Any) -> None:
    idempotency.expire_replies(as_of=timezone.now())


def enqueue(run: CloseRun) -> None:
    """Hand a run to the workers once it is committed. Without a queue it waits for the sweep: nothing is lost."""
    transaction.on_commit(lambda: _send(run.pk))


def _send(run_id: int) -> None:
    try:
        for _ in range(settings.CLOSE_WORKERS):
            work_on_close.delay(run_id=run_id)
    except (OperationalError, OSError):
        logger.warning("The queue is out of reach: close run %s waits for the sweep", run_id)
