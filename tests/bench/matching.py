"""Adding an alias that many unmatched events name: the time of the request, and then of the job."""

import time

from django.utils import timezone

from billing import parties
from tests import factories as make
from tests.bench.report import Row
from tests.bench.setting import analyse
from tests.bench.size import Size
from tests.skewed import copy_rows
from usage import ledger
from usage.models import Matching, UsageRecord


def run(size: Size) -> list[Row]:
    """Measure as many events as are matched at once, and many. The request must not take longer for the latter."""
    at_once, _ = _measure("match-few", size.few_events)
    request, job = _measure("match-many", size.many_events)
    return [
        Row(
            f"a name with {size.many_events:,} events",
            f"{request:.2f} s",
            f"{at_once:.2f} s",
            f"{request / at_once:.1f} x",
            "<= 1 x",
        ),
        Row("  events matched a second", f"{size.many_events / job:,.0f}", "", "", ">= 2,000"),
    ]


def _measure(code: str, count: int) -> tuple[float, float]:
    """Return the seconds that adding the alias takes, and those of the job."""
    workspace = make.workspace(code)
    customer = make.customer(workspace)
    first = make.event(workspace, "waiting", "2026-01-10", key="0")
    copy_rows(UsageRecord, of=first.id, count=count - 1, key="n::text")
    analyse()
    begun = time.perf_counter()
    parties.add_alias(customer=customer, value="waiting", actor=make.ACTOR)
    named = time.perf_counter()
    for job in Matching.objects.filter(customer=customer):
        ledger.work_on_matching(workspace_id=job.workspace_id, matching_id=job.pk, clock=timezone.now)
    matched = time.perf_counter()
    if UsageRecord.objects.unmatched().filter(workspace=workspace).exists():
        raise RuntimeError("Some events are still unmatched: the figure would be worthless.")
    return named - begun, matched - named
