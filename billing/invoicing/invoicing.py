"""The only writer of invoices: drafts from computed values, numbers at issue, discards.

A draft is rows; an issued invoice is a document besides: canonical JSON with every name, price, quantity and step as it
was, which no later edit touches.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery

from billing import history
from billing.aggregations import sql_names
from billing.calendar import Period
from billing.documents.invoice import document_of
from billing.models import (
    BillingPeriod,
    CloseItem,
    CloseRun,
    EventRule,
    Invoice,
    InvoiceLine,
    Line,
    NumberSeries,
    Subscription,
)
from billing.money import difference, total_of
from billing.rating import Charge
from billing.storage import bulk, timeouts
from billing.storage.exact import ExactSum

ISSUE_BATCH = 500
NUMBER_PREFIXES = {Invoice.Kind.INVOICE: "INV", Invoice.Kind.CREDIT_NOTE: "CN"}


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line to be: what was measured, what the whole of it costs, and what of that is on earlier invoices.

    ``notices``: what a reviewer should look at that rating can't see. They are no part of the document, and neither is
    how many of the records are worth nothing since they could not be read (``missing_count``: had nothing to be read).
    """

    line_id: int
    price_id: int
    rule_id: int | None
    kind: str
    description: str
    period: Period
    days: int
    of_days: int
    cutoff: int
    quantity: Decimal
    record_count: int
    charge: Charge
    billed_before: Decimal
    notices: tuple[str, ...] = ()
    unread_count: int = 0
    missing_count: int = 0
    unread_sample: Sequence[Mapping[str, Any]] = ()
    filter_gaps: Mapping[str, int] = field(default_factory=dict)

    @property
    def amount(self) -> Decimal:
        return difference(self.charge.amount, self.billed_before)

    @property
    def surprises(self) -> list[str]:
        """All that a reviewer should look at: what rating wonders at, and what was noticed around the line."""
        return [*filter(None, [self.charge.surprise]), *self.notices]


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """An invoice to be. ``closes``: it closes its period; differences of an ended subscription close none."""

    subscription_id: UUID
    customer_id: UUID
    currency: str
    period: Period
    closes: bool
    cutoff: int
    lines: tuple[DraftLine, ...]

    @property
    def total(self) -> Decimal:
        return total_of(line.amount for line in self.lines)

    @property
    def is_billed(self) -> bool:
        """Tell whether it becomes an invoice: differences of nothing, which only tell a reviewer something, do not."""
        return any(line.amount or line.kind == InvoiceLine.Kind.USAGE for line in self.lines)


class UnableToIssue(Exception):
    """The run's drafts can't be issued now; the message says why."""


class UnableToDiscard(Exception):
    """The run's drafts can't be discarded now; the message says why."""


def write_drafts(*, run: CloseRun, drafts: Sequence[DraftInvoice]) -> None:
    """Write drafts and the periods that they close. Inside the caller's transaction, with the subscriptions locked.

    A period in which there is nothing to bill is closed without an invoice. Raises ``IntegrityError`` where a period
    was closed before.
    """
    closing = [draft for draft in drafts if draft.closes]
    periods = bulk.insert(model=BillingPeriod, rows=[_period_row(run, draft) for draft in closing])
    period_ids = {id(draft): period_id for draft, period_id in zip(closing, periods, strict=True)}
    billed = [draft for draft in drafts if draft.is_billed]
    invoices = bulk.insert(
        model=Invoice, rows=[_invoice_row(run, draft, period_ids.get(id(draft))) for draft in billed]
    )
    bulk.insert(
        model=InvoiceLine,
        rows=[
            _line_row(run.workspace_id, invoice_id, position, line)
            for draft, invoice_id in zip(billed, invoices, strict=True)
            for position, line in enumerate(draft.lines, start=1)
        ],
    )


def _period_row(run: CloseRun, draft: DraftInvoice) -> dict[str, Any]:
    return {
        "workspace_id": run.workspace_id,
        "subscription_id": draft.subscription_id,
        "run_id": run.pk,
        "starts_at": draft.period.starts_at,
        "ends_at": draft.period.ends_at,
    }


def _invoice_row(run: CloseRun, draft: DraftInvoice, period_id: int | None) -> dict[str, Any]:
    total = draft.total
    return {
        "workspace_id": run.workspace_id,
        "customer_id": draft.customer_id,
        "subscription_id": draft.subscription_id,
        "period_id": period_id,
        "run_id": run.pk,
        "state": Invoice.State.DRAFT.value,
        "kind": (Invoice.Kind.CREDIT_NOTE if total < 0 else Invoice.Kind.INVOICE).value,
        "currency": draft.currency,
        "total": total,
        "starts_at": draft.period.starts_at,
        "ends_at": draft.period.ends_at,
        "cutoff": draft.cutoff,
        "document": "",
        "document_sha256": "",
    }


def _line_row(workspace_id: int, invoice_id: int, position: int, line: DraftLine) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id,
        "invoice_id": invoice_id,
        "position": position,
        "line_id": line.line_id,
        "price_id": line.price_id,
        "rule_id": line.rule_id,
        "kind": line.kind,
        "description": line.description,
        "starts_at": line.period.starts_at,
        "ends_at": line.period.ends_at,
        "days": line.days,
        "of_days": line.of_days,
        "cutoff": line.cutoff,
        "quantity": line.quantity,
        "record_count": line.record_count,
        "unread_count": line.unread_count,
        "missing_count": line.missing_count,
        "unread_sample": list(line.unread_sample),
        "filter_gaps": dict(line.filter_gaps),
        "rated": line.charge.amount,
        "billed_before": line.billed_before,
        "amount": line.amount,
        "steps": [step.as_dict() for step in line.charge.steps],
        "surprise": line.charge.surprise,
        "surprises": line.surprises,
    }


def move_pointers(
    *, workspace_id: int, pointers: Sequence[tuple[UUID, datetime, datetime | None]], cutoff: int
) -> None:
    """Note where closing stands: (subscription id, start and end of the first open period), and the lines' cutoff."""
    if not pointers:
        return
    among, ids = bulk.among([pk for pk, _, _ in pointers])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_MOVE_ALL, [*map(list, zip(*pointers, strict=True)), workspace_id])
        else:
            adapt = connection.ops.adapt_datetimefield_value
            cursor.executemany(
                "UPDATE billing_subscription SET open_from_at = %s, next_close_at = %s"
                " WHERE id = %s AND workspace_id = %s",
                [(adapt(opens), closes and adapt(closes), pk.hex, workspace_id) for pk, opens, closes in pointers],
            )
        cursor.execute(_MOVE_LINES.format(among=among), [cutoff, workspace_id, *ids])


_MOVE_ALL = """
UPDATE billing_subscription s SET open_from_at = given.open_from_at, next_close_at = given.next_close_at
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) AS given(id, open_from_at, next_close_at)
WHERE s.id = given.id AND s.workspace_id = %s
"""
_MOVE_LINES = """
UPDATE billing_line SET cutoff = %s,
    open_from_at = (
        SELECT s.open_from_at FROM billing_subscription s
        WHERE s.id = subscription_id AND s.workspace_id = billing_line.workspace_id
    )
WHERE workspace_id = %s AND subscription_id {among}
"""


def move_event_pointers(*, workspace_id: int, customer_ids: Collection[UUID]) -> None:
    """Note from when on the customers' events are open in all of their lines; the caller holds the customers' locks.

    It never goes back: an event that is called late without need is looked at twice, and changes nothing.
    """
    among, ids = bulk.among(list(customer_ids))
    with connection.cursor() as cursor:
        statement = _MOVE_CUSTOMERS.format(among=among, takes_events=sql_names("takes_events"))
        cursor.execute(statement, [workspace_id, *ids])


_MOVE_CUSTOMERS = """
UPDATE billing_customer SET events_open_from_at = opened.moment
FROM (
    SELECT s.workspace_id, s.customer_id, MAX(l.open_from_at) AS moment
    FROM billing_subscription s
        JOIN billing_line l ON l.subscription_id = s.id AND l.workspace_id = s.workspace_id
        JOIN billing_brick b ON b.id = l.brick_id AND b.workspace_id = l.workspace_id
            AND b.aggregation IN {takes_events}
    WHERE s.workspace_id = %s AND s.customer_id {among} AND l.open_from_at > l.starts_at
    GROUP BY s.workspace_id, s.customer_id
) AS opened
WHERE billing_customer.id = opened.customer_id AND billing_customer.workspace_id = opened.workspace_id
    AND (billing_customer.events_open_from_at IS NULL OR billing_customer.events_open_from_at < opened.moment)
"""


@transaction.atomic
def approve(*, run: CloseRun, by: str, as_of: datetime) -> CloseRun:
    """Let a reviewed run's drafts be issued; ``issue_next`` then does it, batch by batch. Raises ``UnableToIssue``."""
    if earlier := _named(_runs_with_earlier_drafts(run)):
        raise UnableToIssue(f"Earlier drafts of the same subscriptions come first: issue or discard {earlier}.")
    reviewed = CloseRun.objects.filter(workspace_id=run.workspace_id, pk=run.pk, state=CloseRun.State.REVIEW)
    changed = reviewed.update(state=CloseRun.State.ISSUING, decided_by=by, heartbeat_at=as_of)
    run.refresh_from_db()
    if changed:
        history.note(run, "approved")
    if not changed:
        raise UnableToIssue(f"{run} is not waiting for review: {run.get_state_display().lower()}.")
    return run


def _runs_with_earlier_drafts(run: CloseRun) -> QuerySet[CloseRun]:
    in_workspace = {"workspace_id": run.workspace_id}
    mine = Invoice.objects.filter(**in_workspace, run=run, subscription=OuterRef("subscription"), id__gt=OuterRef("id"))
    earlier = Invoice.objects.filter(Exists(mine), **in_workspace, state=Invoice.State.DRAFT)
    return CloseRun.objects.filter(**in_workspace, pk__in=earlier.exclude(run=run).values("run"))


def _runs_that_build_on(run: CloseRun) -> QuerySet[CloseRun]:
    in_workspace = {"workspace_id": run.workspace_id}
    mine = in_workspace | {"run": run, "subscription": OuterRef("subscription")}
    period = BillingPeriod.objects.filter(**mine, starts_at__lt=OuterRef("starts_at"))
    periods = BillingPeriod.objects.filter(Exists(period), **in_workspace).exclude(run=run)
    invoice = Invoice.objects.filter(**mine, id__lt=OuterRef("id"))
    invoices = Invoice.objects.filter(Exists(invoice), **in_workspace).exclude(run=run)
    built = Q(pk__in=periods.values("run")) | Q(pk__in=invoices.values("run"))
    return CloseRun.objects.filter(built, **in_workspace)


def _named(runs: QuerySet[CloseRun]) -> str:
    return ", ".join(str(run) for run in runs.order_by("pk")[:5])


def issue_next(*, run: CloseRun, as_of: datetime) -> int:
    """Issue the next batch of a run's drafts in one transaction; return how many, 0 when the run is issued whole.

    Numbers are gapless: the series' row is locked from the first number to the commit, and a failure takes them back.
    """
    with transaction.atomic():
        timeouts.allow(settings.CLOSE_STATEMENT_SECONDS)
        series = {
            row.kind: row
            for row in NumberSeries.objects.filter(workspace_id=run.workspace_id, kind__in=Invoice.Kind.values)
            .select_for_update()
            .order_by("kind")
        }
        drafts = list(
            _drafts_of(run)
            .filter(run__state=CloseRun.State.ISSUING)
            .select_related("customer", "subscription", "workspace")
            .prefetch_related("lines__line__brick", "lines__price__tiers")
            .order_by("id")[:ISSUE_BATCH]
        )
        for invoice in drafts:
            _issue(invoice, series[invoice.kind], as_of)
        _save_issued(drafts)
        for row in series.values():
            row.save(update_fields=["next_sequence"])
        if not drafts:
            _finish_issuing(run, as_of)
    return len(drafts)


def _drafts_of(run: CloseRun) -> QuerySet[Invoice]:
    return Invoice.objects.filter(workspace_id=run.workspace_id, run=run, state=Invoice.State.DRAFT)


def _finish_issuing(run: CloseRun, as_of: datetime) -> None:
    issuing = CloseRun.objects.filter(workspace_id=run.workspace_id, pk=run.pk, state=CloseRun.State.ISSUING)
    if issuing.update(state=CloseRun.State.ISSUED, finished_at=as_of, problem=""):
        _let_go(run)


def _let_go(run: CloseRun) -> None:
    """Leave a run's subscriptions to other runs again."""
    held = CloseItem.objects.filter(workspace_id=run.workspace_id, run=run, holds_subscription=True)
    held.update(holds_subscription=False)


def _issue(invoice: Invoice, series: NumberSeries, as_of: datetime) -> None:
    invoice.sequence = series.next_sequence
    invoice.number = f"{NUMBER_PREFIXES[Invoice.Kind(invoice.kind)]}-{invoice.sequence:06d}"
    invoice.issued_at = as_of
    invoice.state = Invoice.State.ISSUED
    series.next_sequence += 1
    invoice.document = document_of(invoice)
    invoice.document_sha256 = hashlib.sha256(invoice.document.encode()).hexdigest()


def _save_issued(invoices: Sequence[Invoice]) -> None:
    if not invoices:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {Invoice._meta.db_table} SET state = %s, sequence = %s, number = %s, issued_at = %s,"
            " document = %s, document_sha256 = %s WHERE id = %s AND workspace_id = %s",
            [
                (
                    invoice.state,
                    invoice.sequence,
                    invoice.number,
                    connection.ops.adapt_datetimefield_value(invoice.issued_at),
                    invoice.document,
                    invoice.document_sha256,
                    invoice.pk,
                    invoice.workspace_id,
                )
                for invoice in invoices
            ],
        )


@transaction.atomic
def discard(*, run: CloseRun, by: str, as_of: datetime) -> None:
    """Take a run's drafts back whole: its periods are open again, and the next close computes them anew.

    Raises ``UnableToDiscard`` once anything of it was issued, or while a later run builds on its drafts.
    """
    in_workspace = {"workspace_id": run.workspace_id}
    run = CloseRun.objects.select_for_update().get(**in_workspace, pk=run.pk)
    if run.state not in (CloseRun.State.COMPUTING, CloseRun.State.REVIEW):
        raise UnableToDiscard(f"{run} can't be discarded: {run.get_state_display().lower()}.")
    # By the run, here and below, and never by its subscriptions' ids: they are more than a statement has parameters.
    done = {"close_items__run": run, "close_items__state": CloseItem.State.DONE}
    closed = Subscription.objects.filter(**in_workspace, **done)
    subscriptions = list(closed.select_for_update(of=("self",)).order_by("id"))
    lines = Line.objects.filter(**in_workspace, subscription__in=closed.values("pk"))
    list(lines.select_for_update().order_by("id").values("id"))
    if later := _named(_runs_that_build_on(run)):
        raise UnableToDiscard(f"Later drafts build on these: discard {later} first.")
    _reopen(run, subscriptions, lines)
    CloseItem.objects.filter(**in_workspace, run=run, state=CloseItem.State.PENDING).delete()
    CloseItem.objects.filter(**in_workspace, run=run).exclude(notices=[]).update(notices=[])
    _let_go(run)
    run.state, run.decided_by, run.finished_at, run.problem = CloseRun.State.DISCARDED, by, as_of, ""
    run.save(update_fields=["state", "decided_by", "finished_at", "problem"])


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
    # What earlier invoices have counted stays counted: each line's cutoff falls back to the last of them.
    counted = InvoiceLine.objects.filter(workspace_id=OuterRef("workspace_id"), line=OuterRef("pk")).order_by()
    last = counted.values("line").annotate(last=Max("cutoff")).values("last")
    lines.filter(Exists(counted)).update(cutoff=Subquery(last))


def _delete_drafts(run: CloseRun) -> None:
    # Not through the models, by which Django looks for what refers to each row, with a parameter for each.
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_LINES, [run.workspace_id, run.workspace_id, run.pk])
        for table in (Invoice._meta.db_table, BillingPeriod._meta.db_table):
            cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s AND run_id = %s", [run.workspace_id, run.pk])


_DELETE_LINES = """
DELETE FROM billing_invoiceline
WHERE workspace_id = %s AND invoice_id IN (SELECT id FROM billing_invoice WHERE workspace_id = %s AND run_id = %s)
"""


@dataclass(frozen=True, slots=True)
class Billed:
    """What has been billed for a line in a period, and the calendar days that it was found to cover."""

    amount: Decimal
    days: int
    of_days: int


def billed(*, workspace_id: int, subscription_ids: Sequence[UUID]) -> dict[tuple[int, datetime], Billed]:
    """Return what has been billed, drafts included, per line and start of the measured window; one query."""
    of_usage = Q(kind=InvoiceLine.Kind.USAGE)
    rows = (
        InvoiceLine.objects.filter(workspace_id=workspace_id, line__subscription__in=subscription_ids)
        .values("line_id", "starts_at")
        .annotate(
            billed=ExactSum(F("amount")),
            covered=Max("days", filter=of_usage),
            of=Max("of_days", filter=of_usage),
        )
        .values_list("line_id", "starts_at", "billed", "covered", "of")
    )
    return {(line_id, starts_at): Billed(amount, days, of_days) for line_id, starts_at, amount, days, of_days in rows}


@dataclass(frozen=True, slots=True)
class Told:
    """What an invoice line says to a reviewer of the whole of its period: see ``InvoiceLine``."""

    surprise: str = ""
    filter_gaps: Mapping[str, int] = field(default_factory=dict)


def last_told(*, workspace_id: int, windows: Collection[tuple[int, datetime]]) -> dict[tuple[int, datetime], Told]:
    """Return what was said last, in drafts too, of each line and start of a measured window; one query."""
    starts = [starts_at for _, starts_at in windows]
    rows = InvoiceLine.objects.filter(
        bulk.is_among("billing_invoiceline.line_id", sorted({line_id for line_id, _ in windows})),
        workspace=workspace_id,
        starts_at__gte=min(starts),
        starts_at__lte=max(starts),
    )
    said = rows.order_by("cutoff").values_list("line_id", "starts_at", "surprise", "filter_gaps")
    # Of several, the one that was counted last.
    return {(line_id, starts_at): Told(surprise, gaps) for line_id, starts_at, surprise, gaps in said}


def billed_rules(*, workspace_id: int, line_ids: Sequence[int]) -> dict[tuple[int, datetime], EventRule]:
    """Return the rule by which events were counted, per line and start of the measured window; one query."""
    of_lines = bulk.is_among("billing_invoiceline.line_id", line_ids)
    with_rule = {"kind": InvoiceLine.Kind.USAGE, "rule__isnull": False}
    rows = InvoiceLine.objects.filter(of_lines, workspace_id=workspace_id, **with_rule)
    return {
        (row.line_id, row.starts_at): row.rule
        for row in rows.select_related("rule").only("line_id", "starts_at", "rule")
        if row.rule
    }
