from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern
from django.utils import timezone
from unfold.decorators import action
from unfold.decorators import display as column
from unfold.enums import ActionVariant

from billing import figures
from billing.admin import shown
from billing.admin.actions import row_action
from billing.admin.entry_fields import DayField
from billing.admin.pages import ReadOnlyAdmin, name_of, posted
from billing.admin.paging import page_of
from billing.admin.panel_forms import PanelForm
from billing.calendar import end_of
from billing.entry import Formats
from billing.entry.moments import spell_day
from billing.invoicing import invoicing
from billing.models import CloseItem, CloseRun, Invoice, Workspace
from usage import closing, tasks
from usage.admin.drafts import change_of, drafts_of
from usage.closing import missing_properties

DRAFTS_PER_PAGE = 50
MOST_PARKED = 200


class CloseForm(PanelForm):
    last_day = DayField(
        label="Last day",
        help_text="Every period whose last day is this one or earlier is closed: a day that is over in the workspace's"
        " time zone.",
    )

    def __init__(self, *args: Any, formats: Formats, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read_as(formats)


@admin.register(CloseRun)
class CloseRunAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "last_day", "state_label", "size", "parked", "started", "started_by")
    list_filter = ("state",)
    list_select_related = ("workspace",)
    ordering = ("-id",)
    change_form_template = "admin/billing/closerun/change_form.html"
    show_add_link = False
    actions_list = ("close_periods",)
    actions_detail = ("issue_all", "discard")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CloseRun]:
        # Counted by run, so that a page counts those of its own runs alone.
        of_run = CloseItem.objects.filter(workspace_id=OuterRef("workspace_id"), run=OuterRef("pk"))
        items = of_run.order_by().values("run").annotate(number=Count("pk"))
        parked = items.filter(state=CloseItem.State.PARKED)
        return (
            super()
            .get_queryset(request)
            .select_related("workspace")
            .annotate(
                item_count=Coalesce(Subquery(items.values("number")), 0),
                parked_count=Coalesce(Subquery(parked.values("number")), 0),
            )
        )

    def get_fieldsets(self, request: HttpRequest, obj: CloseRun | None = None) -> tuple[()]:
        return ()

    def get_urls(self) -> list[URLPattern]:
        progress = self.view_at("<int:run_id>/progress/", self.progress_view, "billing_closerun_progress")
        return [progress, *super().get_urls()]

    @column(description="Closes up to", ordering="until_at")
    def last_day(self, run: CloseRun) -> str:
        return figures.last_whole_day(run.until_at, run.workspace.tz)

    @column(
        description="State",
        ordering="state",
        label={"computing": "info", "issuing": "info", "review": "warning", "issued": "success"},
    )
    def state_label(self, run: CloseRun) -> tuple[str, str]:
        return run.state, run.get_state_display()

    @column(description="Subscriptions")
    def size(self, run: Any) -> str:
        return figures.count(run.item_count, run.workspace.formats.numbers)

    @column(description="Parked")
    def parked(self, run: Any) -> str:
        return figures.count(run.parked_count, run.workspace.formats.numbers) if run.parked_count else figures.NOTHING

    @column(description="Started", ordering="started_at")
    def started(self, run: CloseRun) -> str:
        return figures.moment(run.started_at, run.workspace.tz)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may(request, "change") and self._is_in(request, object_id, CloseRun.State.REVIEW)

    def has_discard_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        states = (CloseRun.State.COMPUTING, CloseRun.State.REVIEW)
        return self.may(request, "change") and self._is_in(request, object_id, *states)

    def _is_in(self, request: HttpRequest, object_id: str | None, *states: str) -> bool:
        run = self.get_object(request, object_id or "")
        return run is not None and run.state in states

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Closing", **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.object_or_404(request, object_id)
        missing = missing_properties(run)
        drafts = page_of(request, drafts_of(run, missing), per_page=DRAFTS_PER_PAGE, told=_changes_of)
        parked = run.items.filter(state=CloseItem.State.PARKED).select_related("subscription__customer").order_by("id")
        context = {
            "drafts": drafts,
            "parked": parked[:MOST_PARKED],
            "notices": closing.told_in(run, most=MOST_PARKED),
            "missing": missing,
            **progress_of(run),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        self.require(self.has_view_permission(request))
        run = get_object_or_404(shown.narrowed(CloseRun.objects.select_related("workspace"), request), pk=run_id)
        response = render(request, "usage/progress.html", {"original": run, **progress_of(run)})
        if run.state not in CloseRun.ACTIVE:
            response["HX-Refresh"] = "true"
        return response

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self.require(self.has_add_permission(request))
        workspace = shown.workspace_of(request)

        def perform(data: dict[str, Any]) -> HttpResponse:
            now = timezone.now()
            until_at = _end_of_day_that_is_over(data["last_day"], workspace.tz, now)
            try:
                run = closing.start(workspace=workspace, until_at=until_at, by=name_of(request), as_of=now)
            except closing.NothingToClose as error:
                day = figures.last_day(until_at, workspace.tz)
                left = f"Nothing to close: what has ended by {day} in {workspace} is left to {error.named}."
                nothing = f"Nothing to close: no open period of {workspace} that is over ends by this day."
                raise ValidationError({"last_day": left if error.left_to else nothing}) from error
            self.log_addition(request, run, f"Periods up to {spell_day(data['last_day'])}.")
            tasks.enqueue(run)
            others = [other for other in closing.left_to(workspace=workspace, until_at=run.until_at) if other != run]
            if others:
                names = ", ".join(map(str, others))
                messages.warning(request, f"Subscriptions that are in {names} are left to it: close again after that.")
            return self.go_to(run)

        return self.form_page(
            request,
            form=CloseForm(posted(request), initial=_suggestion(workspace), formats=workspace.formats),
            title=f"Close periods of {workspace}",
            intro="Drafts are computed for review. Nothing is issued yet.",
            submit="Compute drafts",
            perform=perform,
        )

    @action(description="Close periods", icon="event_available", permissions=["add"], variant=ActionVariant.PRIMARY)
    def close_periods(self, request: HttpRequest) -> HttpResponse:
        return redirect(self.url_name("add"))

    @row_action(
        right="billing.change_closerun",
        permission="issue",
        description="Issue all",
        icon="send",
        variant=ActionVariant.PRIMARY,
    )
    def issue_all(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            try:
                invoicing.approve(run=run, by=name_of(request), as_of=timezone.now())
            except invoicing.UnableToIssue as error:
                messages.error(request, str(error))
                return self.go_to(run)
            self.log_change(request, run, "Issued.")
            tasks.enqueue(run)
            messages.success(request, "The invoices are being issued.")
            return self.go_to(run)

        count = run.invoices.count()
        return self.form_page(
            request,
            form=PanelForm(posted(request)),
            obj=run,
            title=f"Issue {figures.count(count, run.workspace.formats.numbers)} invoice{'' if count == 1 else 's'}?",
            intro="Each gets its number and becomes a document that is never edited again.",
            submit="Issue all",
            perform=perform,
        )

    @row_action(right="billing.change_closerun", permission="discard", description="Discard", icon="delete")
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.object_or_404(request, object_id)

        def perform(data: dict[str, Any]) -> HttpResponse:
            try:
                invoicing.discard(run=run, by=name_of(request), as_of=timezone.now())
            except invoicing.UnableToDiscard as error:
                messages.error(request, str(error))
                return self.go_to(run)
            self.log_change(request, run, "Discarded.")
            messages.success(request, "The drafts are discarded: the periods are open again.")
            return self.go_to(run)

        return self.form_page(
            request,
            form=PanelForm(posted(request)),
            obj=run,
            title=f"Discard {run}?",
            intro="Its drafts go and its periods are open again. The next close computes them anew.",
            submit="Discard",
            danger=True,
            perform=perform,
        )


def _suggestion(workspace: Workspace) -> dict[str, Any]:
    today = timezone.now().astimezone(workspace.tz).date()
    return {"last_day": today.replace(day=1) - timedelta(days=1)}


def _end_of_day_that_is_over(day: date, tz: ZoneInfo, now: datetime) -> datetime:
    until_at = end_of(day, tz=tz)
    if until_at > now:
        last = figures.last_whole_day(now, tz)
        raise ValidationError(
            {"last_day": f"{figures.last_day(until_at, tz)} is not over: the last whole day is {last}."}
        )
    return until_at


def progress_of(run: CloseRun) -> dict[str, Any]:
    """Return how far a run is: with its subscriptions while it computes, with its invoices while it issues."""
    parked = Count("pk", filter=Q(state=CloseItem.State.PARKED))
    done = Count("pk", filter=Q(state=CloseItem.State.DONE))
    counts: dict[str, Any] = run.items.aggregate(total=Count("pk"), done=done, parked=parked)
    if run.state == CloseRun.State.ISSUING:
        issued = Count("pk", filter=Q(state=Invoice.State.ISSUED))
        counts |= run.invoices.aggregate(total=Count("pk"), done=issued)
    counts["pending"] = counts["total"] - counts["done"] - counts["parked"]
    return {"progress": counts, "is_active": run.state in CloseRun.ACTIVE, "tz": run.workspace.tz}


def _changes_of(drafts: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"draft": draft, "change": change_of(draft)} for draft in drafts]
