"""The panel's first page: what waits for finance, in a few queries."""

from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Min, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.utils import timezone

from billing.models import CloseItem, CloseRun, Invoice, Subscription, Workspace
from usage import closing
from usage.ahead import dated_ahead

MOST = 8


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    may_close = request.user.has_perm("billing.view_closerun")
    may_see_invoices = request.user.has_perm("billing.view_invoice")
    return context | {
        "title": "Home",
        "due": _due() if may_close else None,
        "runs": _runs() if may_close else None,
        "parked": _parked() if may_close else None,
        "invoices": _invoices() if may_see_invoices else None,
        "ahead": _ahead() if request.user.has_perm("usage.view_usagerecord") else None,
        "may_add_usage": request.user.has_perm("usage.add_usagerecord"),
        "may_start": request.user.has_perm("billing.add_closerun"),
        "may_add_customer": request.user.has_perm("billing.add_customer"),
        "may_add_subscription": request.user.has_perm("billing.add_subscription"),
    }


def _due() -> list[dict[str, Any]]:
    """Count the subscriptions whose period is over, per workspace, each with its time zone."""
    due = Subscription.objects.filter(next_close_at__lte=timezone.now())
    counted = due.values(
        "workspace",
        zone=F("workspace__time_zone"),
        style=F("workspace__number_format"),
        name=F("workspace__name"),
        mode=F("workspace__mode"),
    )
    found = counted.annotate(count=Count("pk"), since=Min("next_close_at")).order_by("mode", "name")
    return [{**row, "tz": ZoneInfo(row["zone"])} for row in found]


def _ahead() -> Any:
    """Return the workspaces that have usage dated in the future, each with the first moment of it."""
    records = dated_ahead(as_of=timezone.now()).filter(workspace=OuterRef("pk")).order_by("occurred_at")
    first = Subquery(records.values("occurred_at")[:1])
    return Workspace.objects.annotate(first=first).exclude(first=None).order_by("mode", "name")


def _runs() -> Any:
    waiting = CloseRun.objects.filter(state__in=[*CloseRun.ACTIVE, CloseRun.State.REVIEW])
    parked = Count("items", filter=Q(items__state=CloseItem.State.PARKED))
    return waiting.select_related("workspace").annotate(parked=parked).order_by("-pk")[:MOST]


def _parked() -> Any:
    """Return what was parked and is open still: a later close settles it."""
    return closing.still_parked().select_related("subscription__customer", "run").order_by("-pk")[:MOST]


def _invoices() -> Any:
    issued = Invoice.objects.filter(state=Invoice.State.ISSUED).defer("document")
    return issued.select_related("customer", "workspace").order_by("-pk")[:MOST]
