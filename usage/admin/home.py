"""The panel's first page: pending work for finance staff, in a few queries."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from billing.admin import shown
from billing.models import CloseItem, CloseRun, Invoice, Subscription, Workspace
from usage import closing
from usage.ahead import dated_ahead

MOST = 8
# The buttons: the text, the page, the permission, the look.
LINKS = (
    ("Add usage", "usage_usagerecord_add", "usage.add_usagerecord", "primary"),
    ("Close periods", "billing_closerun_add", "billing.add_closerun", "default"),
    ("Add customer", "billing_customer_add", "billing.add_customer", "default"),
    ("Add subscription", "billing_subscription_add", "billing.add_subscription", "default"),
)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the data of the current workspace that the user may see to the context of the first page."""
    workspace = shown.workspace_or_none(request)
    if workspace is None:
        return context | {"title": "Home", "may_open": request.user.has_perm("billing.add_workspace")}
    may_close = request.user.has_perm("billing.view_closerun")
    may_see_invoices = request.user.has_perm("billing.view_invoice")
    return context | {
        "title": "Home",
        "workspace": workspace,
        "due": _due(workspace) if may_close else None,
        "runs": _runs(workspace) if may_close else None,
        "parked": _parked(workspace) if may_close else None,
        "invoices": _invoices(workspace) if may_see_invoices else None,
        "ahead_from": _ahead_from(workspace) if request.user.has_perm("usage.view_usagerecord") else None,
        "links": [
            (text, reverse(f"admin:{name}"), variant)
            for text, name, right, variant in LINKS
            if request.user.has_perm(right)
        ],
    }


def _due(workspace: Workspace) -> dict[str, Any]:
    """Count the subscriptions whose period is over, with the end of the earliest."""
    due = Subscription.objects.filter(workspace_id=workspace.pk, next_close_at__lte=timezone.now())
    return due.aggregate(count=Count("pk"), since=Min("next_close_at"))


def _ahead_from(workspace: Workspace) -> datetime | None:
    """Return the first moment of the usage that is dated in the future."""
    records = dated_ahead(as_of=timezone.now()).filter(workspace_id=workspace.pk)
    return records.order_by("occurred_at").values_list("occurred_at", flat=True).first()


def _runs(workspace: Workspace) -> Any:
    states = [*CloseRun.ACTIVE, CloseRun.State.REVIEW]
    waiting = CloseRun.objects.filter(workspace_id=workspace.pk, state__in=states)
    parked = Count("items", filter=Q(items__state=CloseItem.State.PARKED))
    return waiting.annotate(parked=parked).order_by("-pk")[:MOST]


def _parked(workspace: Workspace) -> Any:
    """Return parked subscriptions whose periods are still open, until a later close closes them."""
    parked = closing.still_parked(workspace_id=workspace.pk)
    return parked.select_related("subscription__customer", "run").order_by("-pk")[:MOST]


def _invoices(workspace: Workspace) -> Any:
    issued = Invoice.objects.filter(workspace_id=workspace.pk, state=Invoice.State.ISSUED).defer("document")
    return issued.select_related("customer").order_by("-pk")[:MOST]
