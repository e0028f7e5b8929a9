from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from unfold.decorators import display as column
from unfold.enums import ActionVariant

from billing import contracts, figures
from billing.admin import shown
from billing.admin.actions import row_action
from billing.admin.changes import told_limits
from billing.admin.pages import ReadOnlyAdmin, posted
from billing.admin.paging import page_of
from billing.admin.subscription_forms import (
    EndForm,
    LimitsForm,
    NewLineForm,
    NewSubscriptionForm,
    limits_in,
    limits_of,
)
from billing.calendar import CalendarOutOfRange, midnight
from billing.models import Line, Subscription
from billing.open_periods import count_open

# What the domain calls a moment is a day on the forms.
DAYS = {"starts_at": "starts_on", "ends_at": "ends_on", "brick": "price"}
RECENT_INVOICES = 12
MOST_NAMED = 10


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = ("customer", "shown_reference", "interval", "covers", "oldest_open", "state")
    list_filter = ("interval",)
    list_select_related = ("customer", "workspace")
    search_fields = ("^customer__name", "=reference", "=id")
    ordering = ("-created_at", "pk")
    change_form_template = "admin/billing/subscription/change_form.html"
    actions_detail = ("add_line", "end", "void")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_add_line_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_line") and self._is_open(request, object_id)

    def has_end_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may(request, "change") and self._is_open(request, object_id)

    def has_void_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        subscription = self.get_object(request, object_id or "")
        is_fresh = subscription is not None and subscription.open_from_at == subscription.starts_at
        return is_fresh and self.has_end_permission(request, object_id)

    def _is_open(self, request: HttpRequest, object_id: str | None) -> bool:
        subscription = self.get_object(request, object_id or "")
        return subscription is not None and subscription.next_close_at is not None

    def get_urls(self) -> list[URLPattern]:
        line = "<uuid:subscription_id>/lines/<int:line_id>"
        return [
            self.view_at(f"{line}/end/", self.end_line_view, "billing_line_end"),
            self.view_at(f"{line}/limits/", self.limits_view, "billing_line_limits"),
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
            "tz": subscription.workspace.tz,
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
            # Of the last period that there is, the page tells the days.
            return 1

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        workspace = shown.workspace_of(request)
        tz = workspace.tz

        def perform(data: dict[str, Any]) -> HttpResponse:
            subscription = contracts.create_subscription(
                customer=data["customer"],
                starts_at=midnight(data["starts_on"], tz=tz),
                ends_at=figures.end_of(data["ends_on"], tz),
                anchor_on=data["anchor_on"] or data["starts_on"],
                interval=data["interval"],
                currency=data["currency"] or None,
                reference=data["reference"] or None,
                id=data["id"],
            )
            self.log_addition(request, subscription, "Agreed.")
            messages.success(request, f"{subscription.customer} has a subscription: add its lines.")
            return self.go_to(subscription)

        initial = {"customer": request.GET.get("customer")}
        form = NewSubscriptionForm(posted(request), initial=initial, workspace=workspace, as_of=timezone.now())
        return self.form_page(
            request,
            form=form,
            title=f"Add a subscription in {workspace}",
            submit="Add subscription",
            perform=perform,
            names=DAYS,
        )

    @row_action(
        right="billing.add_line",
        permission="add_line",
        description="Add line",
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def add_line(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subscription = self.object_or_404(request, object_id)
        tz = subscription.workspace.tz

        def perform(data: dict[str, Any]) -> HttpResponse:
            line = contracts.add_line(subscription=subscription, **vars(form.terms()))
            self.log_change(request, subscription, f"Added {line}: {line.brick} at {line.price}.")
            messages.success(request, f"{line.brick} is line {line.number} of the subscription.")
            return self.go_to(subscription)

        first = max(subscription.open_from_at, subscription.starts_at)
        form = NewLineForm(posted(request), subscription=subscription, as_of=timezone.now())
        return self.form_page(
            request,
            form=form,
            obj=subscription,
            title=f"Add a line for {subscription.customer}",
            intro=f"Days are those of {tz.key}. A line can start from {figures.day(first, tz)} on.",
            submit="Add line",
            perform=perform,
            names=DAYS,
        )

    @row_action(right="billing.change_subscription", permission="end", description="End", icon="event_busy")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subscription = self.object_or_404(request, object_id)
        tz = subscription.workspace.tz

        def perform(data: dict[str, Any]) -> HttpResponse:
            ended = contracts.end_subscription(subscription=subscription, ends_at=_end(data, tz), as_of=timezone.now())
            self.log_change(request, ended, f"The subscription {_told(ended, tz)}.")
            messages.success(request, f"The subscription {_told(ended, tz)}.")
            if stay := contracts.staying_ended(subscription=ended, former_end=subscription.ends_at):
                messages.warning(request, f"These lines ended before and stay ended: {_listed(stay, tz)}.")
            return self.go_to(ended)

        title = f"End the subscription of {subscription.customer}"
        return self._end_page(request, subscription, title, perform, now=subscription.ends_at)

    @row_action(right="billing.change_subscription", permission="void", description="Void", icon="delete")
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subscription = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            voided = contracts.end_subscription(
                subscription=subscription, ends_at=subscription.starts_at, as_of=timezone.now()
            )
            self.log_change(request, voided, "Voided.")
            messages.success(request, "The subscription is voided: it covers nothing.")
            return self.go_to(voided)

        return self.form_page(
            request,
            form=forms.Form(posted(request)),
            obj=subscription,
            title=f"Void the subscription of {subscription.customer}?",
            intro="It was made by mistake: it and its lines cover nothing, nothing of it is billed, and its references "
            "are free. This can't be undone.",
            submit="Void",
            danger=True,
            perform=perform,
        )

    def end_line_view(self, request: HttpRequest, subscription_id: Any, line_id: int) -> HttpResponse:
        line = self._line_to_change(request, subscription_id, line_id)
        subscription, tz = line.subscription, line.subscription.workspace.tz

        def perform(data: dict[str, Any]) -> HttpResponse:
            ended = contracts.end_line(line=line, ends_at=_end(data, tz), as_of=timezone.now())
            self.log_change(request, subscription, f"{line} {_told(ended, tz)}.")
            messages.success(request, f"{line.brick} {_told(ended, tz)}.")
            return self.go_to(subscription)

        return self._end_page(request, subscription, f"End {line.brick}", perform, now=line.ends_at)

    def limits_view(self, request: HttpRequest, subscription_id: Any, line_id: int) -> HttpResponse:
        line = self._line_to_change(request, subscription_id, line_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            # Those that were not touched stay as they are by now.
            now = Line.objects.select_for_update(of=("self",)).get(workspace_id=line.workspace_id, pk=line.pk)
            touched = {name: data[name] for name in form.changed_data}
            contracts.set_limits(line=line, limits=limits_in({**limits_of(now), **touched}))
            self.log_change(request, line.subscription, f"{line}: {told_limits(line, touched)}.")
            messages.success(request, f"{line.brick} has these limits for all usage from now on.")
            return self.go_to(line.subscription)

        form = LimitsForm(posted(request), initial=limits_of(line))
        form.shows_former = True
        form.read_as(line.subscription.workspace.formats)
        return self.form_page(
            request,
            form=form,
            obj=line.subscription,
            title=f"Limits of {line.brick}",
            intro="Each billing period begins anew. What was recorded stays and is billed, whatever the limit.",
            submit="Save limits",
            perform=perform,
        )

    def _line_to_change(self, request: HttpRequest, subscription_id: Any, line_id: int) -> Line:
        self.require(request.user.has_perm("billing.change_line"))
        subscription = self.object_or_404(request, str(subscription_id))
        line = subscription.lines.select_related("brick").filter(pk=line_id).first()
        if line is None:
            raise Http404
        line.subscription = subscription
        return line

    def _end_page(
        self, request: HttpRequest, subscription: Subscription, title: str, perform: Any, *, now: datetime | None
    ) -> HttpResponse:
        tz = subscription.workspace.tz
        now_at = timezone.now()
        today = now_at.astimezone(tz).date()
        formats = subscription.workspace.formats
        form = EndForm(posted(request), initial={"ends_on": today}, formats=formats, as_of=now_at)
        form.watched = {"Last day": figures.last_day(now, tz)}
        return self.form_page(
            request,
            form=form,
            obj=subscription,
            title=title,
            intro=f"Usage counts up to the end of the last day in {tz.key}; a flat price is prorated by days.",
            submit="End",
            perform=perform,
            names=DAYS,
        )


def _end(data: dict[str, Any], tz: ZoneInfo) -> Any:
    return figures.end_of(data["ends_on"], tz)


def _told(ended: Subscription | Line, tz: ZoneInfo) -> str:
    if ended.is_voided:
        return "is voided: it covers nothing"
    return f"ends on {figures.last_day(ended.ends_at, tz)}" if ended.ends_at else "goes on without an end"


def _listed(lines: list[Line], tz: ZoneInfo) -> str:
    """Name lines with their last days; the first ten of many."""
    named = [f"{line} ({line.brick}, {figures.last_day(line.ends_at, tz)})" for line in lines[:MOST_NAMED]]
    more = len(lines) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
