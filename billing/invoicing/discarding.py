"""Discard a run's drafts: its periods are open again, and the next close computes them anew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery

from billing import close_states, history
from billing.actors import Actor
from billing.close_states import DISCARD, WITHDRAW, Maker
from billing.invoicing.order import named, runs_that_build_on
from billing.invoicing.pointers import move_pointers
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, InvoiceLine, Line, Subscription


class UnableToDiscard(Exception):
    """The run's drafts can't be discarded now; the message gives the reason."""


@transaction.atomic
def discard(*, run: CloseRun, actor: Actor, as_of: datetime) -> None:
    """Discard all drafts of a run: its periods are open again, and the next close computes them anew.

    Raises ``UnableToDiscard`` once the run is approved, issued or discarded, or while a later run builds on its drafts.
    """
    in_workspace = {"workspace_id": run.workspace_id}
    run = CloseRun.objects.select_for_update().get(**in_workspace, pk=run.pk)
    if not DISCARD.is_allowed_from(run.state):
        raise UnableToDiscard(f"{run} can't be discarded: {run.get_state_display().lower()}.")
    # Filter by the run, here and below, not by its subscriptions' ids: these can exceed a statement's parameters.
    done = {"close_items__run": run, "close_items__state": CloseItem.State.DONE}
    closed = Subscription.objects.filter(**in_workspace, **done)
    subscriptions = list(closed.select_for_update(of=("self",)).order_by("id"))
    lines = Line.objects.filter(**in_workspace, subscription__in=closed.values("pk"))
    list(lines.select_for_update().order_by("id").values("id"))
    if later := named(runs_that_build_on(run)):
        raise UnableToDiscard(f"Later drafts depend on these: discard {later} first.")
    _reopen(run, subscriptions, lines)
    items = CloseItem.objects.filter(**in_workspace, run=run)
    close_states.move_items(items, WITHDRAW, maker=Maker.PERSON)
    items.exclude(notices=[]).update(notices=[])
    close_states.release_subscriptions(run)
    close_states.move_run(run, DISCARD, maker=Maker.PERSON, decided_by=actor.label, finished_at=as_of)
    history.note(run, "changed", {"state": (run.state, DISCARD.target)}, actor=actor)


def _reopen(run: CloseRun, subscriptions: Sequence[Subscription], lines: QuerySet[Line]) -> None:
    first: dict[Any, BillingPeriod] = {}
    for period in BillingPeriod.objects.filter(workspace_id=run.workspace_id, run=run).order_by("-starts_at"):
        first[period.subscription_id] = period
    for subscription in subscriptions:
        if subscription.pk in first:
            period = first[subscription.pk]
            subscription.open_from_at, subscription.next_close_at = period.starts_at, period.ends_at
    _delete_drafts(run)
    pointers = [(row.pk, row.open_from_at, row.next_close_at) for row in subscriptions]
    move_pointers(workspace_id=run.workspace_id, pointers=pointers, cutoff=0)
    # Usage counted by earlier invoices stays counted: reset each line's cutoff to the last of them.
    counted = InvoiceLine.objects.filter(workspace_id=OuterRef("workspace_id"), line=OuterRef("pk")).order_by()
    last = counted.values("line").annotate(last=Max("cutoff")).values("last")
    lines.filter(Exists(counted)).update(cutoff=Subquery(last))


def _delete_drafts(run: CloseRun) -> None:
    # Not through the models: Django would look for rows that refer to the deleted ones, with a parameter for each.
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_LINES, [run.workspace_id, run.workspace_id, run.pk])
        for table in (Invoice._meta.db_table, BillingPeriod._meta.db_table):
            cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s AND run_id = %s", [run.workspace_id, run.pk])


_DELETE_LINES = """
DELETE FROM billing_invoiceline
WHERE workspace_id = %s AND invoice_id IN (SELECT id FROM billing_invoice WHERE workspace_id = %s AND run_id = %s)
"""
