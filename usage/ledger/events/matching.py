"""Matching events that came under a name before a customer had it: each gets a further record that says whose it is.

A few are matched at once, with the name; many by a job, batch by batch, and nothing in which they count is closed
before it is through.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from billing.models import Customer
from billing.parties import NOBODY
from billing.storage import timeouts
from billing.storage.jsontext import encode
from usage.heartbeats import take_up_silent
from usage.ledger.cutoff import last_id
from usage.ledger.locks import lock_customers, lock_names, next_ids
from usage.ledger.values import adapt
from usage.models import Matching, UsageRecord

BATCH = 1000


@transaction.atomic
def match_waiting(customer: Customer, names: Sequence[str]) -> list[Matching]:
    """Give a customer the live events that wait under names, to the letter, in the caller's transaction.

    Where they are more than ``MATCH_AT_ONCE``, return the jobs that do it: ``work_on_matching``. Events that are sent
    under the names meanwhile are the customer's at once.
    """
    given = {name for name in names if name != NOBODY}
    late_before = max(lock_customers([customer.pk], workspace_id=customer.workspace_id), default=None)
    lock_names(customer.workspace_id, given, alone=True)
    after = _taken_until(customer.workspace_id, given)
    waiting = _waiting(customer.workspace_id, {name: after.get(name, 0) for name in given})
    found = list(waiting.order_by("id").values_list("id", flat=True)[: settings.MATCH_AT_ONCE + 1])
    if len(found) > settings.MATCH_AT_ONCE:
        return _open(customer, {name: after.get(name, 0) for name in given})
    for start in range(0, len(found), BATCH):
        _match(found[start : start + BATCH], customer, late_before)
    return []


def _taken_until(workspace_id: int, names: Collection[str]) -> dict[str, int]:
    """Return up to which id the events under names are given to those who had the names before."""
    at_work = Matching.objects.filter(workspace=workspace_id, name__in=names, state=Matching.State.MATCHING)
    return dict(at_work.order_by().values("name").annotate(until=Max("until_id")).values_list("name", "until"))


def _waiting(workspace_id: int, after: dict[str, int]) -> QuerySet[UsageRecord]:
    events = UsageRecord.objects.live().filter(workspace_id=workspace_id, customer=None)
    bounded = [Q(customer_alias=name, id__gt=last) for name, last in after.items() if last]
    named = Q(customer_alias__in=[name for name, last in after.items() if not last])
    for one in bounded:
        named |= one
    return events.filter(named)


def _open(customer: Customer, after: dict[str, int]) -> list[Matching]:
    # Looked for by name, since reading all that waits could take long.
    names = [name for name in sorted(after) if _waiting(customer.workspace_id, {name: after[name]}).exists()]
    until_id = last_id(workspace_id=customer.workspace_id)
    return [
        Matching.objects.create(
            workspace_id=customer.workspace_id, customer=customer, name=name, after_id=after[name], until_id=until_id
        )
        for name in names
    ]


def work_on_matching(*, workspace_id: int, matching_id: int, clock: Callable[[], datetime]) -> None:
    """Match what a job is about, a batch a transaction. May run any number of times and in any number of processes."""
    while _match_next(workspace_id, matching_id, clock()):
        pass


@transaction.atomic
def _match_next(workspace_id: int, matching_id: int, now: datetime) -> bool:
    """Match the next batch of a job; tell whether there may be more."""
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    jobs = Matching.objects.select_for_update(of=("self",)).select_related("customer")
    job = jobs.filter(workspace_id=workspace_id, pk=matching_id, state=Matching.State.MATCHING).first()
    if job is None:
        return False
    late_before = max(lock_customers([job.customer_id], workspace_id=workspace_id), default=None)
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
    formers = list(waiting.order_by("id").values_list("id", flat=True)[:BATCH])
    if formers:
        _match(formers, job.customer, late_before)
    job.matched_count += len(formers)
    job.heartbeat_at = now
    if len(formers) < BATCH:
        job.state, job.finished_at = Matching.State.DONE, now
    job.save(update_fields=["found_count", "matched_count", "heartbeat_at", "state", "finished_at"])
    return job.state == Matching.State.MATCHING


def stalled_matchings(*, as_of: datetime) -> list[Matching]:
    """Return the jobs at work whose heartbeat stopped, each to one caller only: whoever gets a job takes it up."""
    return take_up_silent(Matching.objects.filter(state=Matching.State.MATCHING), as_of=as_of)


def being_matched(*, workspace_id: int, customer_ids: Collection[UUID]) -> set[UUID]:
    """Return the customers to whom events are still being given, which would count in what is closed now.

    Who holds closing's lock on a customer knows that it stays so: jobs are opened and end under a lock on it.
    """
    at_work = Matching.objects.filter(
        workspace_id=workspace_id, customer__in=customer_ids, state=Matching.State.MATCHING
    )
    return set(at_work.values_list("customer_id", flat=True)) if customer_ids else set()


def owner_to_be(event: UsageRecord) -> UUID | None:
    """Return the customer to whom a job is giving an event that waits."""
    at_work = Matching.objects.filter(
        workspace=event.workspace_id,
        name=event.customer_alias,
        state=Matching.State.MATCHING,
        after_id__lt=event.pk,
        until_id__gte=event.pk,
    )
    return at_work.values_list("customer_id", flat=True).first()


_GIVEN = {
    "postgresql": "unnest(%s::bigint[], %s::bigint[]) AS given(former, id)",
    "sqlite": "(SELECT json_extract(value, '$[0]') AS former, json_extract(value, '$[1]') AS id"
    " FROM json_each(%s)) AS given",
}
_SUPERSEDE = """
UPDATE usage_usagerecord SET superseded_by_id = given.id FROM {given}
WHERE usage_usagerecord.workspace_id = %s AND usage_usagerecord.id = given.former
"""
_MATCH = """
INSERT INTO usage_usagerecord
    (id, workspace_id, customer_id, is_late, customer_alias, event_type, occurred_at, recorded_at,
     kind, source, dialect, key, recorded_by, note, properties, folded, origin_id)
SELECT given.id, r.workspace_id, %s, COALESCE(r.occurred_at < %s, FALSE), r.customer_alias, r.event_type,
    r.occurred_at, r.recorded_at, 'match', r.source, r.dialect, r.key, 'matched when the name was given', '',
    r.properties, r.folded, COALESCE(r.origin_id, r.id)
FROM {given} JOIN usage_usagerecord r ON r.workspace_id = %s AND r.id = given.former
"""


def _match(formers: list[int], customer: Customer, late_before: datetime | None) -> None:
    ids = next_ids(len(formers))
    pairs = (
        [formers, ids] if connection.vendor == "postgresql" else [encode(list(zip(formers, ids, strict=True))).decode()]
    )
    given = _GIVEN[connection.vendor]
    with connection.cursor() as cursor:
        # The formers first: only one live record may have a key.
        cursor.execute(_SUPERSEDE.format(given=given), [*pairs, customer.workspace_id])
        whose = [adapt("customer", customer.pk), late_before and adapt("occurred_at", late_before)]
        cursor.execute(_MATCH.format(given=given), [*whose, *pairs, customer.workspace_id])
