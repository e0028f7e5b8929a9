"""Working on a run: any number of processes close its items batch by batch, and then issue its drafts."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Q, QuerySet

from billing import contracts
from billing.invoicing import invoicing
from billing.models import CloseItem, CloseRun, Customer, Subscription
from billing.storage import timeouts
from billing.storage.exact import TooManyDigits
from billing.storage.outages import Outage, outage_of
from usage import ledger
from usage.closing import notices
from usage.closing.drafting import REFUSALS, Due, draft
from usage.closing.due import TooManyPeriods, dues_of, lines_of

logger = logging.getLogger(__name__)

# What a subscription may be refused for as it stands, in words for people: no fault of the program.
EXPECTED = (*REFUSALS, TooManyPeriods, TooManyDigits)
TOOK_TOO_LONG = "It takes the database longer than the statement of a close may, and was stopped."
BEING_MATCHED = "Events that came under another name are still being given to the customer: close again when they are."


def work(*, workspace_id: int, run_id: int, clock: Callable[[], datetime], batch: int | None = None) -> CloseRun:
    """Close a run's pending subscriptions until none is left to take, and issue its drafts where it was told to.

    May run any number of times and in any number of processes at once. A subscription that fails is parked with its
    reason, and the others go on. Where the run itself fails, in issuing for one, it keeps the reason as its ``problem``
    and is tried again by the sweep: what was done in the transaction that failed, numbers included, is taken back. Only
    what fails with the database alone (see ``Outage.is_passing``) is raised.
    """
    run = CloseRun.objects.filter(workspace_id=workspace_id).select_related("workspace").get(pk=run_id)
    try:
        _work(run, clock, batch or settings.CLOSE_BATCH)
    except Exception as error:  # whatever it is, it is to be seen
        if _is_passing(error):
            raise
        logger.error("%s does not go on: %s", run, _reason(error), exc_info=_unexpected(error))
        _keep_problem(run, error)
    return run


def _work(run: CloseRun, clock: Callable[[], datetime], batch: int) -> None:
    while run.state == CloseRun.State.COMPUTING and _settle(run, _pending(run)[:batch]):
        _beat(run, clock())
    _go_on(run, clock())
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
    """Say why it failed; only of what nobody expects, by what a programmer calls it."""
    if outage_of(error) is Outage.TOO_LONG:
        return TOOK_TOO_LONG
    return str(error) if _unexpected(error) is None else f"{type(error).__name__}: {error}"


def _unexpected(error: Exception) -> Exception | None:
    """Return what a log has to show with where it came from, None of what is told in words."""
    is_expected = isinstance(error, EXPECTED) or outage_of(error) is Outage.TOO_LONG
    return None if is_expected else error


@transaction.atomic
def _go_on(run: CloseRun, now: datetime) -> None:
    """Move on to review once nothing is pending; a run that is to issue itself goes on to that in the same transaction.

    Of several workers, the last one out finds nothing pending.
    """
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    computing = CloseRun.objects.filter(workspace_id=run.workspace_id, pk=run.pk, state=CloseRun.State.COMPUTING)
    computing.filter(~Exists(_pending(run))).update(state=CloseRun.State.REVIEW, heartbeat_at=now, problem="")
    run.refresh_from_db(fields=["state", "problem"])
    if run.state == CloseRun.State.REVIEW and (run.issues_itself or _came_to_nothing(run)):
        try:
            invoicing.approve(run=run, by=run.started_by, as_of=now)
        except invoicing.UnableToIssue as obstacle:
            logger.warning("%s is left to a person: %s", run, obstacle)


def _came_to_nothing(run: CloseRun) -> bool:
    """Tell whether a run has nothing for a person: no draft, no period closed, none parked, nothing to look at."""
    told = run.items.filter(~Q(notices=[]) | Q(state=CloseItem.State.PARKED))
    return not (run.invoices.exists() or run.periods.exists() or told.exists())


def _pending(run: CloseRun) -> QuerySet[CloseItem]:
    return run.items.filter(state=CloseItem.State.PENDING).order_by("id")


def _settle(run: CloseRun, items: QuerySet[CloseItem]) -> int:
    """Close those items that no other worker holds; return how many were settled, closed or parked."""
    taken: list[int] = []
    try:
        return _close_batch(run, items, taken)
    except Exception as error:  # whatever it is, it must not stop the others
        if _is_passing(error):
            raise
        failure = error
    # Out here, what fails in a part is not told as a consequence of what failed in the whole.
    return _isolate(run, taken, failure)


def _isolate(run: CloseRun, item_ids: Sequence[int], error: Exception) -> int:
    """Halve a batch that failed until the subscription that fails is alone, and park that one."""
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
    return parked.update(state=CloseItem.State.PARKED, reason=reason, holds_subscription=False)


@transaction.atomic
def _close_batch(run: CloseRun, items: QuerySet[CloseItem], taken: list[int]) -> int:
    timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
    if not _hold(run):
        return 0
    locked = items.select_for_update(skip_locked=True).values_list("id", "subscription_id")
    subscription_ids = dict(locked)
    taken.extend(subscription_ids)
    dues = _lock_dues(run, list(subscription_ids.values()))
    # What another run has closed meanwhile is left alone: a cutoff may only pass records whose differences were billed.
    dues = [due for due in dues if due.bills_differences]
    customer_ids = _lock_customers(dues, workspace_id=run.workspace_id)
    being_matched = ledger.being_matched(workspace_id=run.workspace_id, customer_ids=customer_ids)
    parked = _park_what_waits(run, subscription_ids, dues, being_matched) if being_matched else []
    dues = [due for due in dues if due.subscription.pk not in parked]
    customer_ids -= being_matched
    cutoff = ledger.last_id(workspace_id=run.workspace_id)
    drafts = draft(dues=dues, cutoff=cutoff, as_of=run.started_at)
    invoicing.write_drafts(run=run, drafts=drafts)
    notices.keep(run=run, drafts=drafts)
    pointers = [_pointers_after(due) for due in dues]
    invoicing.move_pointers(workspace_id=run.workspace_id, pointers=pointers, cutoff=cutoff)
    if customer_ids:
        invoicing.move_event_pointers(workspace_id=run.workspace_id, customer_ids=customer_ids)
    done = [pk for pk, subscription_id in subscription_ids.items() if subscription_id not in parked]
    run.items.filter(pk__in=done).update(state=CloseItem.State.DONE)
    return len(taken)


def _park_what_waits(run: CloseRun, items: dict[int, Any], dues: Sequence[Due], being_matched: set[UUID]) -> list[UUID]:
    """Park the subscriptions that count events of which some are still being given to the customer; return which."""
    waiting = [
        due.subscription.pk for due in dues if due.counting_lines and due.subscription.customer_id in being_matched
    ]
    run.items.filter(pk__in=[pk for pk, subscription_id in items.items() if subscription_id in waiting]).update(
        state=CloseItem.State.PARKED, reason=BEING_MATCHED, is_passing=True, holds_subscription=False
    )
    return waiting


def _hold(run: CloseRun) -> bool:
    """Share the run's row with its other workers until commit, so that a discard waits; tell whether to go on."""
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT state FROM billing_closerun WHERE workspace_id = %s AND id = %s{lock}", [run.workspace_id, run.pk]
        )
        row = cursor.fetchone()
    return row == (CloseRun.State.COMPUTING,)


def _lock_dues(run: CloseRun, subscription_ids: Sequence[Any]) -> list[Due]:
    """Lock subscriptions and then their lines, each in id order, and return what of them is due under those locks."""
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
