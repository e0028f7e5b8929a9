"""Process runs: any number of processes close a run's items batch by batch, and then issue its drafts."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Q, QuerySet

from billing import close_states, contracts, invoicing
from billing.actors import Actor
from billing.close_states import CLOSE, DRAFT, PARK, Maker
from billing.models import CloseItem, CloseRun, Customer, Subscription
from billing.storage import timeouts
from billing.storage.exact import TooManyDigits
from billing.storage.outages import Outage, outage_of
from usage import ledger
from usage.closing.drafting import REFUSALS, draft
from usage.closing.due import Due, TooManyPeriods, dues_of, lines_of
from usage.closing.run_notices import keep_notices

logger = logging.getLogger(__name__)

# Errors for which a subscription is parked. Their messages are for users; they are not bugs of the program.
EXPECTED = (*REFUSALS, TooManyPeriods, TooManyDigits)
TOOK_TOO_LONG = "The database stopped it: it takes longer than the statement timeout of a close."
BEING_MATCHED = "Events under another name are still being matched with the customer: close again after that."


def work(
    *, workspace_id: int, run_id: int, actor: Actor, clock: Callable[[], datetime], batch: int | None = None
) -> CloseRun:
    """Close a run's pending subscriptions until none is left to take, and issue its drafts if it is approved.

    May run any number of times and in any number of processes at once. A subscription that fails is parked with its
    reason, and the others continue. If the run itself fails, such as in issuing, the reason is stored as its
    ``problem`` and the sweep retries it; the failed transaction is rolled back, including numbers. Only outages of the
    database (see ``Outage.is_passing``) are raised. ``batch``: items per transaction, by default ``CLOSE_BATCH``.
    """
    run = CloseRun.objects.filter(workspace_id=workspace_id).select_related("workspace").get(pk=run_id)
    try:
        _work(run, actor, clock, batch or settings.CLOSE_BATCH)
    except Exception as error:  # any error is stored with the run, for users to see
        if _is_passing(error):
            raise
        logger.error("%s failed: %s", run, _reason(error), exc_info=_unexpected(error))
        _keep_problem(run, error)
    return run


def _work(run: CloseRun, actor: Actor, clock: Callable[[], datetime], batch: int) -> None:
    while run.state == CloseRun.State.COMPUTING and _settle(run, _pending(run)[:batch]):
        _beat(run, clock())
    _go_on(run, actor, clock())
    while run.state == CloseRun.State.ISSUING:
        invoicing.issue_next(run=run, as_of=clock())
        _beat(run, clock())


def _is_passing(error: Exception) -> bool:
    outage = outage_of(error)
    return outage is not None and outage.is_passing


def _beat(run: CloseRun, now: datetime) -> None:
    CloseRun.objects.filter(workspace_id=run.workspace_id, pk=run.pk, state__in=CloseRun.ACTIVE).update(
        heartbeat_at=now, problem=""
    )
    run.refresh_from_db(fields=["state", "problem"])


def _keep_problem(run: CloseRun, error: Exception) -> None:
    CloseRun.objects.filter(workspace_id=run.workspace_id, pk=run.pk, state__in=CloseRun.UNFINISHED).update(
        problem=_reason(error)
    )
    run.refresh_from_db(fields=["state", "problem"])


def _reason(error: Exception) -> str:
    """Return the reason as a text for users; for an unexpected error, with the name of its class."""
    if outage_of(error) is Outage.TOO_LONG:
        return TOOK_TOO_LONG
    return str(error) if _unexpected(error) is None else f"{type(error).__name__}: {error}"


def _unexpected(error: Exception) -> Exception | None:
    """Return the error if the log needs its traceback; None if the message is sufficient."""
    is_expected = isinstance(error, EXPECTED) or outage_of(error) is Outage.TOO_LONG
    return None if is_expected else error


@transaction.atomic
def _go_on(run: CloseRun, actor: Actor, now: datetime) -> None:
    """Move the run to review once nothing is pending, and to issuing if it needs no review; one transaction.

    Of several workers, the last one finds nothing pending.
    """
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    close_states.move_run(run, DRAFT, maker=Maker.WORKER, only=~Q(Exists(_pending(run))), heartbeat_at=now)
    run.refresh_from_db(fields=["state", "problem"])
    if run.state == CloseRun.State.REVIEW and (run.issues_itself or _came_to_nothing(run)):
        try:
            invoicing.approve(run=run, actor=actor.on_behalf_of(run.started_by), as_of=now, maker=Maker.WORKER)
        except invoicing.UnableToIssue as obstacle:
            logger.warning("%s needs a person: %s", run, obstacle)


def _came_to_nothing(run: CloseRun) -> bool:
    """Tell whether a run has nothing to review: no draft, no closed period, nothing parked, no notice."""
    reported = run.items.filter(~Q(notices=[]) | Q(state=CloseItem.State.PARKED))
    return not (run.invoices.exists() or run.periods.exists() or reported.exists())


def _pending(run: CloseRun) -> QuerySet[CloseItem]:
    return run.items.filter(state=CloseItem.State.PENDING).order_by("id")


def _settle(run: CloseRun, items: QuerySet[CloseItem]) -> int:
    """Close the items that no other worker holds; return the number of closed or parked ones."""
    taken: list[int] = []
    try:
        return _close_batch(run, items, taken)
    except Exception as error:  # an error of one subscription must not stop the others
        if _is_passing(error):
            raise
        failure = error
    # Outside the handler, so that errors of the halves are not chained to this one.
    return _isolate(run, taken, failure)


def _isolate(run: CloseRun, item_ids: Sequence[int], error: Exception) -> int:
    """Bisect a failed batch to find the subscription that fails, and park it."""
    if not item_ids:
        raise error
    if len(item_ids) == 1:
        return _park(run, item_ids[0], error)
    middle = len(item_ids) // 2
    return sum(_settle(run, _pending(run).filter(pk__in=half)) for half in (item_ids[:middle], item_ids[middle:]))


def _park(run: CloseRun, item_id: int, error: Exception) -> int:
    reason = _reason(error)
    parked = _pending(run).filter(pk=item_id)
    for subscription_id in parked.values_list("subscription_id", flat=True):
        logger.error("Subscription %s of %s is parked: %s", subscription_id, run, reason, exc_info=_unexpected(error))
    return close_states.move_items(parked, PARK, maker=Maker.WORKER, reason=reason)


@transaction.atomic
def _close_batch(run: CloseRun, items: QuerySet[CloseItem], taken: list[int]) -> int:
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    if not _hold(run):
        return 0
    locked = items.select_for_update(skip_locked=True).values_list("id", "subscription_id")
    subscription_ids = dict(locked)
    taken.extend(subscription_ids)
    dues = _lock_dues(run, list(subscription_ids.values()))
    # Skip subscriptions that another run has closed meanwhile: a cutoff may only include records that are billed.
    dues = [due for due in dues if due.bills_differences]
    customer_ids = _lock_customers(dues, workspace_id=run.workspace_id)
    being_matched = ledger.being_matched(workspace_id=run.workspace_id, customer_ids=customer_ids)
    parked = _park_what_waits(run, subscription_ids, dues, being_matched) if being_matched else []
    dues = [due for due in dues if due.subscription.pk not in parked]
    customer_ids -= being_matched
    cutoff = ledger.last_id(workspace_id=run.workspace_id)
    drafts = draft(dues=dues, cutoff=cutoff, as_of=run.started_at)
    invoicing.write_drafts(run=run, drafts=drafts)
    keep_notices(run=run, drafts=drafts)
    pointers = [_pointers_after(due) for due in dues]
    invoicing.move_pointers(workspace_id=run.workspace_id, pointers=pointers, cutoff=cutoff)
    if customer_ids:
        invoicing.move_event_pointers(workspace_id=run.workspace_id, customer_ids=customer_ids)
    done = [pk for pk, subscription_id in subscription_ids.items() if subscription_id not in parked]
    close_states.move_items(run.items.filter(pk__in=done), CLOSE, maker=Maker.WORKER)
    return len(taken)


def _park_what_waits(run: CloseRun, items: dict[int, Any], dues: Sequence[Due], being_matched: set[UUID]) -> list[UUID]:
    """Park the subscriptions that count events of customers whose events are still being matched; return their ids."""
    waiting = [
        due.subscription.pk for due in dues if due.counting_lines and due.subscription.customer_id in being_matched
    ]
    of_these = run.items.filter(pk__in=[pk for pk, subscription_id in items.items() if subscription_id in waiting])
    close_states.move_items(of_these, PARK, maker=Maker.WORKER, reason=BEING_MATCHED, is_passing=True)
    return waiting


def _hold(run: CloseRun) -> bool:
    """Lock the run's row, shared with its other workers, so that a discard waits; return whether it is computing."""
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT state FROM billing_closerun WHERE workspace_id = %s AND id = %s{lock}", [run.workspace_id, run.pk]
        )
        row = cursor.fetchone()
    return row == (CloseRun.State.COMPUTING,)


def _lock_dues(run: CloseRun, subscription_ids: Sequence[Any]) -> list[Due]:
    """Lock subscriptions and then their lines, each in id order, and return their dues as of the locks."""
    wanted = Subscription.objects.filter(workspace_id=run.workspace_id, pk__in=subscription_ids)
    subscriptions = list(wanted.select_for_update().order_by("id"))
    for subscription in subscriptions:
        subscription.workspace = run.workspace
    lines = lines_of(subscriptions, workspace_id=run.workspace_id).select_for_update()
    return dues_of(subscriptions, lines, run.until_at)


def _lock_customers(dues: Sequence[Due], *, workspace_id: int) -> set[UUID]:
    """Lock the customers whose events are counted, in id order, against intakes but not against references to them."""
    counted = {due.subscription.customer_id for due in dues if due.counting_lines}
    if counted:
        customers = Customer.objects.filter(workspace_id=workspace_id, pk__in=counted).select_for_update(no_key=True)
        list(customers.order_by("pk").values("pk"))
    return counted


def _pointers_after(due: Due) -> tuple[Any, datetime, datetime | None]:
    subscription = due.subscription
    if due.periods:
        subscription.open_from_at = due.periods[-1].ends_at
        subscription.next_close_at = contracts.next_close_at(subscription)
    return subscription.pk, subscription.open_from_at, subscription.next_close_at
