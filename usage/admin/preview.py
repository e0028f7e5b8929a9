"""Fragments that pages of billing load by URL name, since billing does not import usage."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from billing.admin import paging, shown
from billing.contracts import reached
from billing.models import InvoiceLine, Line, Subscription
from billing.names import parse_whole
from usage import closing
from usage.ahead import out_of_reach
from usage.metering import opening_records
from usage.models import UsageRecord

MOST_AHEAD = 20


def upcoming_invoice(request: HttpRequest, subscription_id: UUID) -> HttpResponse:
    if not request.user.has_perms(["billing.view_subscription", "usage.view_usagerecord"]):
        raise PermissionDenied
    subscriptions = shown.narrowed(Subscription.objects.select_related("workspace"), request)
    subscription = get_object_or_404(subscriptions, pk=subscription_id)
    now = timezone.now()
    context: dict[str, Any] = {"subscription": subscription, "most": MOST_AHEAD}
    context["ahead"] = out_of_reach(subscription=subscription, as_of=now).order_by("occurred_at")[: MOST_AHEAD + 1]
    try:
        preview = closing.preview(subscription=subscription, as_of=now)
    except closing.REFUSALS as error:
        context["problem"] = str(error)
    else:
        if preview is not None:
            context["preview"] = preview
            context["most_open"] = settings.CLOSE_MAX_PERIODS
            context["lines"] = _lines(preview, workspace_id=subscription.workspace_id)
            context["left_out"] = len(preview.invoice.lines) - len(context["lines"])
    return render(request, "panel/fragments/preview.html", context)


def _lines(preview: closing.Preview, *, workspace_id: int) -> list[dict[str, Any]]:
    drafted = preview.invoice.lines[: paging.ROWS_PER_PAGE]
    ids = {line.line_id for line in drafted}
    lines = Line.objects.filter(workspace_id=workspace_id).select_related("brick").in_bulk(ids)
    return [
        {
            "draft": draft,
            "brick": lines[draft.line_id].brick,
            "is_true_up": draft.kind == InvoiceLine.Kind.TRUE_UP,
            "is_prorated": draft.days != draft.of_days,
            "limit_reached": ""
            if draft.kind == InvoiceLine.Kind.TRUE_UP
            else reached(line=lines[draft.line_id], quantity=draft.quantity, amount=draft.charge.amount),
        }
        for draft in drafted
    ]


def opening_value(request: HttpRequest, invoice_line_id: int) -> HttpResponse:
    if not request.user.has_perms(["billing.view_invoice", "usage.view_usagerecord"]):
        raise PermissionDenied
    lines = shown.narrowed(InvoiceLine.objects.select_related("workspace"), request)
    line = get_object_or_404(lines, pk=invoice_line_id)
    return render(request, "panel/fragments/opening.html", {"line": line, "opening": opening_of(line)})


def opening_of(line: InvoiceLine) -> UsageRecord | None:
    """Return the record with the value of a gauge at the start of an invoice line's window, as of its cutoff."""
    (record_id,) = opening_records([line])
    if record_id is None:
        return None
    records = UsageRecord.objects.filter(workspace_id=line.workspace_id).select_related("line").defer("properties")
    return records.get(pk=record_id)


def invoice_line_or_none(request: HttpRequest, text: str) -> InvoiceLine | None:
    known = parse_whole(text)
    if known is None:
        return None
    lines = InvoiceLine.objects.select_related("invoice__customer", "workspace", "rule")
    return shown.narrowed(lines, request).filter(pk=known).first()
