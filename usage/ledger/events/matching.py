"""Match events that were received under a name before a customer got it, each by a further record with the customer.

A few are matched immediately when the name is assigned. Many are matched by a job, batch by batch; until it is done, no
period in which they count is closed.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet

from billing.actors import Actor
from billing.models import Customer
from billing.parties import NOBODY
from billing.storage import timeouts
from usage.heartbeats import take_up_silent
from usage.ledger.cutoff import last_id
from usage.ledger.locks import lock_customers, lock_names
from usage.ledger.store import supersede_by_matches
from usage.models import Matching, UsageRecord

BATCH = 1000


@transaction.atomic
def match_waiting(customer: Customer, names: Sequence[str], *, actor: Actor) -> list[Matching]:
    """Match the unmatched live events under exact names with a customer, in the caller's transaction.

    If there are more than ``MATCH_AT_ONCE`` of them, create jobs for ``work_on_matching`` and return these. Events
    that are sent under the names meanwhile are the customer's immediately.
    """
    new_names = {name for name in names if name != NOBODY}
    open_from_at = _lock_customer(customer.workspace_id, customer.pk)
    lock_names(customer.workspace_id, new_names, alone=True)
    matched_until = _matched_until(customer.workspace_id, new_names)
    after = {name: matched_until.get(name, 0) for name in new_names}
    waiting = _waiting(customer.workspace_id, after)
    found = list(waiting.order_by("id").values_list("id", flat=True)[: settings.MATCH_AT_ONCE + 1])
    if len(found) > settings.MATCH_AT_ONCE:
        return _open_jobs(customer, after, actor)
    for start in range(0, len(found), BATCH):
        _match(found[start : start + BATCH], customer, open_from_at, _by(actor.label))
    return []


def _lock_customer(workspace_id: int, customer_id: UUID) -> datetime | None:
    return lock_customers([customer_id], workspace_id=workspace_id).get(customer_id)


def _by(label: str) -> str:
    """Return how matches are recorded: their source and time are those of the event."""
    return f"matched when {label} gave the name"


def _match(former_ids: list[int], customer: Customer, open_from_at: datetime | None, recorded_by: str) -> None:
    supersede_by_matches(
        former_ids,
        workspace_id=customer.workspace_id,
        customer_id=customer.pk,
        open_from_at=open_from_at,
        recorded_by=recorded_by,
    )


def _matched_until(workspace_id: int, names: Collection[str]) -> dict[str, int]:
    """Return, per name with a running job, the id up to which the job matches events with another customer."""
    at_work = Matching.objects.filter(workspace=workspace_id, name__in=names, state=Matching.State.MATCHING)
    return dict(at_work.order_by().values("name").annotate(until=Max("until_id")).values_list("name", "until"))


def _waiting(workspace_id: int, after: dict[str, int]) -> QuerySet[UsageRecord]:
    """Return the unmatched live events under names, for each name those after an id."""
    events = UsageRecord.objects.live().filter(workspace_id=workspace_id, customer=None)
    bounded = [Q(customer_alias=name, id__gt=last) for name, last in after.items() if last]
    wanted = Q(customer_alias__in=[name for name, last in after.items() if not last])
    for one in bounded:
        wanted |= one
    return events.filter(wanted)


def _open_jobs(customer: Customer, after: dict[str, int], actor: Actor) -> list[Matching]:
    # Check name by name whether there is any: reading all unmatched events could take long.
    names = [name for name in sorted(after) if _waiting(customer.workspace_id, {name: after[name]}).exists()]
    until_id = last_id(workspace_id=customer.workspace_id)
    return [
        Matching.objects.create(
            workspace_id=customer.workspace_id,
            customer=customer,
            name=name,
            after_id=after[name],
            until_id=until_id,
            started_by=actor.label,
        )
        for name in names
    ]


def work_on_matching(*, workspace_id: int, matching_id: int, clock: Callable[[], datetime]) -> None:
    """Match the events of a job, each batch in a transaction of its own.

    May run any number of times and in any number of processes.
    """
    while _match_next(workspace_id, matching_id, clock()):
        pass


@transaction.atomic
def _match_next(workspace_id: int, matching_id: int, now: datetime) -> bool:
    """Match the next batch of a job; return whether there may be more."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    jobs = Matching.objects.select_for_update(of=("self",)).select_related("customer")
    job = jobs.filter(workspace_id=workspace_id, pk=matching_id, state=Matching.State.MATCHING).first()
    if job is None:
        return False
    open_from_at = _lock_customer(workspace_id, job.customer_id)
    lock_names(job.workspace_id, [job.name], alone=True)
    waiting = UsageRecord.objects.live().filter(
        workspace_id=job.workspace_id,
        customer=None,
        customer_alias=job.name,
        id__gt=job.after_id,
        id__lte=job.until_id,
    )
    if job.found_count is None:
        job.found_count = waiting.count()
    former_ids = list(waiting.order_by("id").values_list("id", flat=True)[:BATCH])
    if former_ids:
        _match(former_ids, job.customer, open_from_at, _by(job.started_by))
    job.matched_count += len(former_ids)
    job.heartbeat_at = now
    if len(former_ids) < BATCH:
        job.state, job.finished_at = Matching.State.DONE, now
    job.save(update_fields=["found_count", "matched_count", "heartbeat_at", "state", "finished_at"])
    return job.state == Matching.State.MATCHING


def stalled_matchings(*, as_of: datetime) -> list[Matching]:
    """Return the jobs at work whose heartbeat stopped, each to one caller only, who has to enqueue it."""
    return take_up_silent(Matching.objects.filter(state=Matching.State.MATCHING), as_of=as_of)


def being_matched(*, workspace_id: int, customer_ids: Collection[UUID]) -> set[UUID]:
    """Return the customers whose events are still being matched, and would be missing in a close.

    The result is valid as long as the caller holds closing's lock on the customers: jobs start and end under a lock on
    their customer.
    """
    at_work = Matching.objects.filter(
        workspace_id=workspace_id, customer__in=customer_ids, state=Matching.State.MATCHING
    )
    return set(at_work.values_list("customer_id", flat=True)) if customer_ids else set()


def receiver_of(event: UsageRecord) -> UUID | None:
    """Return the customer with which a job is about to match an unmatched event, None if there is no such job."""
    at_work = Matching.objects.filter(
        workspace=event.workspace_id,
        name=event.customer_alias,
        state=Matching.State.MATCHING,
        after_id__lt=event.pk,
        until_id__gte=event.pk,
    )
    return at_work.values_list("customer_id", flat=True).first()
