"""Heartbeats of jobs (close runs, matchings): a job is a row, and its workers note when they last worked on it."""

from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from billing.models import CloseRun
from billing.tenancy import Across, across
from usage.models import Matching

Job = TypeVar("Job", CloseRun, Matching)


def take_up_silent(at_work: QuerySet[Job], *, as_of: datetime) -> list[Job]:
    """Return the jobs of all workspaces whose heartbeat is older than ``CLOSE_HEARTBEAT_SECONDS``, and renew it.

    Each job is returned to one caller only, who has to enqueue it.
    """
    limit = as_of - timedelta(seconds=settings.CLOSE_HEARTBEAT_SECONDS)
    with across(Across.SWEEP):
        silent = list(at_work.filter(heartbeat_at__lt=limit).order_by("pk"))
    jobs = at_work.model._base_manager
    return [
        job
        for job in silent
        if jobs.filter(workspace_id=job.workspace_id, pk=job.pk, heartbeat_at=job.heartbeat_at).update(
            heartbeat_at=as_of
        )
    ]
