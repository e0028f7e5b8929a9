"""Subscriptions in the panel: their list, and a page with lines, current usage and invoices."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from unfold.decorators import display as column

from billing import figures
from billing.admin.actions import buttons
from billing.admin.pages import ReadOnlyAdmin
from billing.admin.paging import page_of
from billing.admin.picking import answer_search, matching
from billing.admin.subscription_actions import (
    AddLine,
    AddSubscription,
    EndLine,
    EndSubscription,
    SetLimits,
    VoidSubscription,
)
from billing.admin.subscription_forms import PRICE_SEARCH, price_in_words, prices_for
from billing.calendar import CalendarOutOfRange
from billing.models import Line, Subscription
from billing.open_periods import count_open

RECENT_INVOICES = 12


@admin.register(Subscription)
@buttons(AddLine, EndSubscription, VoidSubscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = ("customer", "shown_reference", "interval", "covers", "oldest_open", "state")
    list_filter = ("interval",)
    list_select_related = ("customer", "workspace")
    search_fields = ("^customer__name", "=reference", "=id")
    ordering = ("-created_at", "pk")
    change_form_template = "panel/pages/subscription.html"
    add_action = AddSubscription

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def get_urls(self) -> list[URLPattern]:
        line = "<uuid:subscription_id>/lines/<int:line_id>"
        return [
            self.view_at(f"{line}/end/", self.end_line_view, "billing_line_end"),
            self.view_at(f"{line}/limits/", self.limits_view, "billing_line_limits"),
            self.view_at("<uuid:subscription_id>/prices/", self.prices_view, "billing_subscription_prices"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("customer", "workspace")

    def get_fieldsets(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[()]:
        return ()

    @column(description="Reference", ordering="reference")
    def shown_reference(self, subscription: Subscription) -> str:
        return figures.identifier(subscription.reference)

    @column(description="Covers", ordering="starts_at")
    def covers(self, subscription: Subscription) -> str:
        return figures.days(subscription.starts_at, subscription.ends_at, subscription.workspace.tz)

    @column(description="Oldest open period", ordering="next_close_at")
    def oldest_open(self, subscription: Subscription) -> str:
        return figures.open_period(subscription, subscription.workspace.tz)

    @column(description="State", label={"active": "success", "ends": "warning"})
    def state(self, subscription: Subscription) -> str:
        if subscription.is_voided:
            return "voided"
        if subscription.next_close_at is None:
            return "ended"
        return "active" if subscription.ends_at is None else "ends"

    def title_of(self, subscription: Any) -> str:
        return str(subscription.customer)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        subscription = self.object_or_404(request, object_id)
        context = {
            "state": self.state(subscription),
            "oldest_open": self.oldest_open(subscription),
            "open_count": self._open_count(subscription),
            "most_open": settings.CLOSE_MAX_PERIODS,
            "lines": page_of(request, subscription.lines.select_related("brick", "price").order_by("number")),
            "invoices": subscription.invoices.defer("document").order_by("-id")[:RECENT_INVOICES],
            "may_change_line": request.user.has_perm("billing.change_line"),
            "may_see_usage": request.user.has_perm("usage.view_usagerecord"),
            "title": subscription.customer.name,
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def _open_count(self, subscription: Subscription) -> int:
        try:
            return count_open(subscription, as_of=timezone.now(), most=settings.CLOSE_MAX_PERIODS)
        except CalendarOutOfRange:
            # At the end of the calendar there is a single open period, and the page shows its days.
            return 1

    def end_line_view(self, request: HttpRequest, subscription_id: Any, line_id: int) -> HttpResponse:
        return EndLine(self, request, self._line_to_change(request, subscription_id, line_id)).answer()

    def limits_view(self, request: HttpRequest, subscription_id: Any, line_id: int) -> HttpResponse:
        return SetLimits(self, request, self._line_to_change(request, subscription_id, line_id)).answer()

    def prices_view(self, request: HttpRequest, subscription_id: Any) -> HttpResponse:
        """Answer a search for the price of a new line."""
        self.require(request.user.has_perm(AddLine.right))
        subscription = self.object_or_404(request, str(subscription_id))
        searched = matching(request.GET.get("term", ""), PRICE_SEARCH)
        return answer_search(request, prices_for(subscription).filter(searched), row_label=price_in_words)

    def _line_to_change(self, request: HttpRequest, subscription_id: Any, line_id: int) -> Line:
        self.require(request.user.has_perm("billing.change_line"))
        subscription = self.object_or_404(request, str(subscription_id))
        line = subscription.lines.select_related("brick").filter(pk=line_id).first()
        if line is None:
            raise Http404
        line.subscription, line.workspace = subscription, subscription.workspace
        return line
