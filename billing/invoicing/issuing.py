"""Issue a run's drafts: approve the run, assign gapless numbers, and store each invoice's document and its digest."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from billing import close_states, history
from billing.actors import Actor
from billing.close_states import APPROVE, FINISH, Maker
from billing.documents import InvoiceDocument, Prices, digest_of
from billing.invoicing.order import named, runs_with_earlier_drafts
from billing.models import CloseRun, Invoice, NumberSeries
from billing.storage import timeouts

ISSUE_BATCH = 500
NUMBER_PREFIXES = {Invoice.Kind.INVOICE: "INV", Invoice.Kind.CREDIT_NOTE: "CN"}


class UnableToIssue(Exception):
    """The run's drafts can't be issued now; the message gives the reason."""


@transaction.atomic
def approve(*, run: CloseRun, actor: Actor, as_of: datetime, maker: Maker = Maker.PERSON) -> CloseRun:
    """Approve a reviewed run, so that ``issue_next`` issues its drafts batch by batch; return the current run.

    Raises ``UnableToIssue`` if the run is not waiting for review, or earlier drafts of its subscriptions exist.
    """
    if earlier := named(runs_with_earlier_drafts(run)):
        raise UnableToIssue(f"Earlier drafts of the same subscriptions exist: issue or discard {earlier} first.")
    changed = close_states.move_run(run, APPROVE, maker=maker, decided_by=actor.label, heartbeat_at=as_of)
    run.refresh_from_db()
    if not changed:
        raise UnableToIssue(f"{run} is not waiting for review: {run.get_state_display().lower()}.")
    history.note(run, "approved", actor=actor)
    return run


def issue_next(*, run: CloseRun, as_of: datetime) -> int:
    """Issue the next batch of a run's drafts in one transaction; return their number, 0 when all of the run are issued.

    Numbers are gapless: the series' row is locked from the first number to the commit, and a rollback releases them.
    Does nothing and returns 0 if the run is not being issued.
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
            .filter(run__state=APPROVE.target)
            .select_related("customer", "subscription", "workspace")
            .prefetch_related("lines__line__brick", "lines__price__tiers")
            .order_by("id")[:ISSUE_BATCH]
        )
        prices: Prices = {}
        for invoice in drafts:
            _issue(invoice, series[invoice.kind], as_of, prices)
        _save_issued(drafts)
        for row in series.values():
            row.save(update_fields=["next_sequence"])
        if not drafts and close_states.move_run(run, FINISH, maker=Maker.WORKER, finished_at=as_of):
            close_states.release_subscriptions(run)
    return len(drafts)


def _drafts_of(run: CloseRun) -> QuerySet[Invoice]:
    return Invoice.objects.filter(workspace_id=run.workspace_id, run=run, state=Invoice.State.DRAFT)


def _issue(invoice: Invoice, series: NumberSeries, as_of: datetime, prices: Prices) -> None:
    invoice.sequence = series.next_sequence
    invoice.number = f"{NUMBER_PREFIXES[Invoice.Kind(invoice.kind)]}-{invoice.sequence:06d}"
    invoice.issued_at = as_of
    invoice.state = Invoice.State.ISSUED
    series.next_sequence += 1
    invoice.document = InvoiceDocument.from_invoice(invoice, prices=prices).to_json()
    invoice.document_sha256 = digest_of(invoice.document)


def _save_issued(invoices: Sequence[Invoice]) -> None:
    if not invoices:
        return
    with connection.cursor() as cursor:
        # Row by row: documents as one parameter, JSON within JSON, take four times as long and may exceed 1 GB.
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
