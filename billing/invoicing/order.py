"""Order of runs with drafts of the same subscriptions: earlier ones are issued first, later ones discarded first."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import BillingPeriod, CloseRun, Invoice

MOST_NAMED = 5


def runs_with_earlier_drafts(run: CloseRun) -> QuerySet[CloseRun]:
    """Return the other runs that have earlier drafts of this run's subscriptions."""
    in_workspace = {"workspace_id": run.workspace_id}
    mine = Invoice.objects.filter(**in_workspace, run=run, subscription=OuterRef("subscription"), id__gt=OuterRef("id"))
    earlier = Invoice.objects.filter(Exists(mine), **in_workspace, state=Invoice.State.DRAFT)
    return CloseRun.objects.filter(**in_workspace, pk__in=earlier.exclude(run=run).values("run"))


def runs_that_build_on(run: CloseRun) -> QuerySet[CloseRun]:
    """Return the other runs that have closed later periods of this run's subscriptions, or invoiced them later."""
    in_workspace = {"workspace_id": run.workspace_id}
    mine = in_workspace | {"run": run, "subscription": OuterRef("subscription")}
    period = BillingPeriod.objects.filter(**mine, starts_at__lt=OuterRef("starts_at"))
    periods = BillingPeriod.objects.filter(Exists(period), **in_workspace).exclude(run=run)
    invoice = Invoice.objects.filter(**mine, id__lt=OuterRef("id"))
    invoices = Invoice.objects.filter(Exists(invoice), **in_workspace).exclude(run=run)
    built = Q(pk__in=periods.values("run")) | Q(pk__in=invoices.values("run"))
    return CloseRun.objects.filter(built, **in_workspace)


def named(runs: QuerySet[CloseRun]) -> str:
    """Return the names of the first of these runs, for a message; empty if there are none. One query."""
    return ", ".join(str(run) for run in runs.order_by("pk")[:MOST_NAMED])
