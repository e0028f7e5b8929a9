"""Close runs in the panel: their list, and the page to review a run's drafts."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern
from unfold.decorators import action
from unfold.decorators import display as column
from unfold.enums import ActionVariant

from billing import figures
from billing.admin import shown
from billing.admin.actions import buttons
from billing.admin.pages import ReadOnlyAdmin
from billing.admin.paging import page_of
from billing.admin.review import change_of, drafts_of, progress_of
from billing.models import CloseItem, CloseRun
from usage import closing
from usage.admin.run_actions import ClosePeriods, DiscardRun, IssueAll
from usage.closing import missing_properties, surprising_lines

DRAFTS_PER_PAGE = 50
MOST_PARKED = 200


@admin.register(CloseRun)
@buttons(IssueAll, DiscardRun)
class CloseRunAdmin(ReadOnlyAdmin):
    add_action = ClosePeriods
    list_display = ("__str__", "last_day", "state_label", "size", "parked", "started", "started_by")
    list_filter = ("state",)
    list_select_related = ("workspace",)
    ordering = ("-id",)
    change_form_template = "panel/pages/close_run.html"
    show_add_link = False
    actions_list = ("close_periods",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CloseRun]:
        # Subqueries by run, so that a page of the list counts only the items of its own runs.
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

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Closing", **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.object_or_404(request, object_id)
        missing = missing_properties(run)
        drafts = page_of(request, drafts_of(run, surprising_lines(missing)), per_page=DRAFTS_PER_PAGE, told=_changes_of)
        parked = run.items.filter(state=CloseItem.State.PARKED).select_related("subscription__customer").order_by("id")
        context = {
            "drafts": drafts,
            "parked": parked[:MOST_PARKED],
            "notices": closing.notices_of_run(run, most=MOST_PARKED),
            "missing": missing,
            **progress_of(run),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        self.require(self.has_view_permission(request))
        run = get_object_or_404(shown.narrowed(CloseRun.objects.select_related("workspace"), request), pk=run_id)
        response = render(request, "panel/fragments/progress.html", {"original": run, **progress_of(run)})
        if run.state not in CloseRun.ACTIVE:
            response["HX-Refresh"] = "true"
        return response

    @action(description="Close periods", icon="event_available", permissions=["add"], variant=ActionVariant.PRIMARY)
    def close_periods(self, request: HttpRequest) -> HttpResponse:
        return redirect(self.url_name("add"))


def _changes_of(drafts: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"draft": draft, "change": change_of(draft)} for draft in drafts]
