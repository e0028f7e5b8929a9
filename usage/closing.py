"""Closing: finds what is due, locks it, has it measured and rated, and hands the drafts to invoicing.

A run is a row with one item per subscription. Any number of workers work on a run at once: each takes a batch of
pending items that no other holds, and closes it in one transaction. A worker that dies leaves its batch pending, and
the sweep finds the run by its heartbeat.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from billing import contracts, invoicing
from billing.calendar import Interval, Period, periods_due
from billing.invoicing import DraftInvoice
from billing.models import CloseItem, CloseRun, Customer, Line, Subscription, Workspace
from usage import ledger
from usage.changed import has_changed_events
from usage.drafting import Due, draft
from usage.models import UsageRecord

logger = logging.getLogger(__name__)


class NothingToClose(Exception):
    """No period of the workspace is over by then, and no ended subscription has differences."""


@transaction.atomic
def start(*, workspace: Workspace, until_at: datetime, by: str, as_of: datetime, automatic: bool = False) -> CloseRun:
    """Open a run over all periods of the workspace that end by ``until_at`` and are over; raise ``NothingToClose``.

    It computes nothing yet: ``work`` does. An automatic run leaves out what an earlier run has parked for that period,
    until a person closes it.
    """
    until_at = min(until_at, as_of)
    due = _due(workspace, until_at)
    if automatic:
        parked = CloseItem.objects.filter(
            subscription=OuterRef("pk"),
            state=CloseItem.State.PARKED,
            run__until_at__gte=OuterRef("next_close_at"),
        )
        due = due.exclude(Exists(parked))
    issues_itself = automatic and workspace.closing == Workspace.Closing.ISSUE
    run = CloseRun.objects.create(
        workspace=workspace,
        until_at=until_at,
        issues_itself=issues_itself,
        started_by=by,
        started_at=as_of,
        heartbeat_at=as_of,
    )
    if not _add_items(run, due):
        raise NothingToClose(
            f"No period of {workspace} has ended by {until_at.astimezone(workspace.tz):%Y-%m-%d %H:%M}."
        )
    return run


def _add_items(run: CloseRun, due: QuerySet[Subscription]) -> int:
    """Give the run an item per due subscription in one statement, without bringing their ids here and back."""
    found, parameters = due.values("pk").query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_closeitem (workspace_id, run_id, subscription_id, state, reason)"
            f" SELECT %s, %s, due.pk, 'pending', '' FROM ({found}) due ORDER BY due.pk",
            [run.workspace_id, run.pk, *parameters],
        )
        return cursor.rowcount


def _due(workspace: Workspace, until_at: datetime) -> QuerySet[Subscription]:
    late = UsageRecord.objects.filter(
        workspace=workspace, line__subscription=OuterRef("pk"), is_late=True, pk__gt=F("line__cutoff")
    )
    changed = Exists(late) | has_changed_events(workspace)
    ended_with_changes = Q(next_close_at=None) & changed
    return Subscription.objects.filter(Q(next_close_at__lte=until_at) | ended_with_changes, workspace=workspace)


def work(*, run_id: int, clock: Callable[[], datetime], batch: int | None = None) -> CloseRun:
    """Close a run's pending subscriptions until none is left to take, and issue its drafts where it was told to.

    May run any number of times and in any number of processes at once. A subscription that fails is parked with its
    reason, and the others go on.
    """
    run = CloseRun.objects.select_related("workspace").get(pk=run_id)
    while run.state == CloseRun.State.COMPUTING and _settle(run, _pending(run)[: batch or settings.CLOSE_BATCH]):
        _beat(run, clock())
    if run.state == CloseRun.State.COMPUTING:
        _finish_computing(run, clock())
    while run.state == CloseRun.State.ISSUING:
        invoicing.issue_next(run=run, as_of=clock())
        _beat(run, clock())
    return run


def _beat(run: CloseRun, now: datetime) -> None:
    CloseRun.objects.filter(pk=run.pk, state__in=CloseRun.ACTIVE).update(heartbeat_at=now)
    run.refresh_from_db(fields=["state"])


def _finish_computing(run: CloseRun, now: datetime) -> None:
    """Move on to review once nothing is pending. Of several workers, the last one out finds nothing pending."""
    pending = CloseItem.objects.filter(run=OuterRef("pk"), state=CloseItem.State.PENDING)
    CloseRun.objects.filter(~Exists(pending), pk=run.pk, state=CloseRun.State.COMPUTING).update(
        state=CloseRun.State.REVIEW, heartbeat_at=now
    )
    run.refresh_from_db(fields=["state"])
    if run.state == CloseRun.State.REVIEW and run.issues_itself:
        try:
            invoicing.approve(run=run, by=run.started_by, as_of=now)
        except invoicing.UnableToIssue as obstacle:
            logger.warning("%s is left to a person: %s", run, obstacle)


def _pending(run: CloseRun) -> QuerySet[CloseItem]:
    return run.items.filter(state=CloseItem.State.PENDING).order_by("id")


def _settle(run: CloseRun, items: QuerySet[CloseItem]) -> int:
    """Close those items that no other worker holds; return how many were settled, closed or parked."""
    taken: list[int] = []
    try:
        return _close_batch(run, items, taken)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not stop the others)
        return _isolate(run, taken, error)


def _isolate(run: CloseRun, item_ids: Sequence[int], error: Exception) -> int:
    """Halve a batch that failed until the subscription that fails is alone, and park that one."""
    if not item_ids:
        raise error
    if len(item_ids) == 1:
        logger.error("A subscription of %s is parked", run, exc_info=error)
        return (
            _pending(run)
            .filter(pk=item_ids[0])
            .update(state=CloseItem.State.PARKED, reason=f"{type(error).__name__}: {error}")
        )
    middle = len(item_ids) // 2
    return sum(_settle(run, _pending(run).filter(pk__in=half)) for half in (item_ids[:middle], item_ids[middle:]))


@transaction.atomic
def _close_batch(run: CloseRun, items: QuerySet[CloseItem], taken: list[int]) -> int:
    if not _hold(run):
        return 0
    locked = items.select_for_update(skip_locked=True).values_list("id", "subscription_id")
    subscription_ids = dict(locked)
    taken.extend(subscription_ids)
    dues = _lock_dues(run, list(subscription_ids.values()))
    # What another run has closed meanwhile is left alone: a cutoff may only pass records whose differences were billed.
    dues = [due for due in dues if due.bills_differences]
    customer_ids = _lock_customers(dues)
    cutoff = ledger.last_id()
    invoicing.write_drafts(run=run, drafts=draft(dues=dues, cutoff=cutoff))
    if dues:
        invoicing.move_pointers(pointers=[_pointers_after(due) for due in dues], cutoff=cutoff)
    if customer_ids:
        invoicing.move_event_pointers(customer_ids=customer_ids)
    return CloseItem.objects.filter(pk__in=taken).update(state=CloseItem.State.DONE)


def _hold(run: CloseRun) -> bool:
    """Share the run's row with its other workers until commit, so that a discard waits; tell whether to go on."""
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT state FROM {CloseRun._meta.db_table} WHERE id = %s{lock}", [run.pk])
        row = cursor.fetchone()
    return row == (CloseRun.State.COMPUTING,)


def _lock_dues(run: CloseRun, subscription_ids: Sequence[Any]) -> list[Due]:
    """Lock subscriptions and then their lines, each in id order, and return what of them is due under those locks."""
    subscriptions = list(Subscription.objects.filter(pk__in=subscription_ids).select_for_update().order_by("id"))
    for subscription in subscriptions:
        subscription.workspace = run.workspace
    lines = _lines(subscriptions).select_for_update()
    return _dues(subscriptions, lines, run.until_at)


def _lock_customers(dues: Sequence[Due]) -> set[UUID]:
    """Lock the customers whose events are counted, in id order, against intakes but not against references to them."""
    counted = {due.subscription.customer_id for due in dues if due.counting_lines}
    if counted:
        customers = Customer.objects.filter(pk__in=counted).select_for_update(no_key=True)
        list(customers.order_by("pk").values("pk"))
    return counted


def _lines(subscriptions: Sequence[Subscription]) -> QuerySet[Line]:
    # Prefetched, not joined: thousands of lines share a few bricks and prices.
    of_these = Line.objects.filter(subscription__in=[row.pk for row in subscriptions])
    return of_these.prefetch_related("brick", "price__tiers").order_by("id")


def _dues(subscriptions: Sequence[Subscription], lines: QuerySet[Line], until_at: datetime) -> list[Due]:
    of_subscription: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        of_subscription[line.subscription_id].append(line)
    return [
        Due(
            subscription=subscription,
            lines=tuple(of_subscription[subscription.pk]),
            periods=_periods_due(subscription, until_at),
        )
        for subscription in subscriptions
    ]


def _periods_due(subscription: Subscription, until_at: datetime) -> tuple[Period, ...]:
    if subscription.next_close_at is None or subscription.next_close_at > until_at:
        return ()
    return periods_due(
        open_from_at=subscription.open_from_at,
        until=until_at,
        anchor_on=subscription.anchor_on,
        interval=Interval(subscription.interval),
        tz=subscription.workspace.tz,
        starts_at=subscription.starts_at,
        ends_at=subscription.ends_at,
    )


def _pointers_after(due: Due) -> tuple[Any, datetime, datetime | None]:
    subscription = due.subscription
    if due.periods:
        subscription.open_from_at = due.periods[-1].ends_at
        subscription.next_close_at = contracts.next_close_at(subscription)
    return subscription.pk, subscription.open_from_at, subscription.next_close_at


def close_due(*, as_of: datetime) -> list[CloseRun]:
    """Open the runs of the workspaces that close automatically and have periods over since their delay."""
    runs = []
    for workspace in Workspace.objects.exclude(closing=Workspace.Closing.MANUAL).order_by("pk"):
        until_at = as_of - timedelta(hours=workspace.closing_delay_hours)
        try:
            runs.append(start(workspace=workspace, until_at=until_at, by="schedule", as_of=as_of, automatic=True))
        except NothingToClose:
            continue
    return runs


def stalled(*, as_of: datetime) -> list[CloseRun]:
    """Return the runs at work whose heartbeat stopped, each to one caller only: whoever gets a run takes it up."""
    limit = as_of - timedelta(seconds=settings.CLOSE_HEARTBEAT_SECONDS)
    silent = CloseRun.objects.filter(state__in=CloseRun.ACTIVE, heartbeat_at__lt=limit)
    return [
        run
        for run in silent.order_by("pk")
        if CloseRun.objects.filter(pk=run.pk, heartbeat_at=run.heartbeat_at).update(heartbeat_at=as_of)
    ]


@dataclass(frozen=True, slots=True)
class Preview:
    """A subscription's running period so far, and the invoice as it would be now."""

    invoice: DraftInvoice
    measured_until: datetime


def preview(*, subscription: Subscription, as_of: datetime) -> Preview | None:
    """Return current usage and the upcoming invoice, differences of closed periods included. Writes nothing.

    None where the subscription has no open period at that time (not begun, or ended and closed).
    """
    subscription = Subscription.objects.select_related("workspace").get(pk=subscription.pk)
    if as_of < subscription.starts_at:
        return None
    period = contracts.open_period(subscription)
    if period is None:
        return None
    due = replace(_dues([subscription], _lines([subscription]), as_of)[0], periods=(period,))
    drafts = draft(dues=[due], cutoff=ledger.last_id(), measured_until=as_of)
    return Preview(invoice=drafts[0], measured_until=min(as_of, period.ends_at))
