from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display as column

from billing.admin.pages import PickableAdmin, WholeModelForm, by_workspace, copyable
from billing.models import Brick

SHORT = {Brick.Aggregation.SUM: "counter", Brick.Aggregation.UNIT_DAYS: "gauge", Brick.Aggregation.NONE: "not metered"}


@admin.register(Brick)
class BrickAdmin(PickableAdmin):
    form = WholeModelForm
    list_display = ("name", "workspace", "metering", "unit_label", "reference", "copyable_id")
    list_filter = (by_workspace, "workspace__mode", "aggregation")
    list_select_related = ("workspace",)
    search_fields = ("^name", "=reference", "=id")
    ordering = ("name", "pk")
    fields = ("name", "workspace", "aggregation", "unit_label", "reference", "id")

    @column(description="Metering", label={"counter": "info", "gauge": "success"}, ordering="aggregation")
    def metering(self, brick: Brick) -> str:
        return SHORT[Brick.Aggregation(brick.aggregation)]

    @column(description="ID")
    def copyable_id(self, brick: Brick) -> str:
        return copyable(brick.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brick]:
        return super().get_queryset(request).select_related("workspace")

    def get_fields(self, request: HttpRequest, obj: Brick | None = None) -> tuple[str, ...]:
        return self.fields if obj is None else (*self.fields[:-1], "copyable_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Brick | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ("aggregation",) if obj.lines.exists() else ()
        return ("workspace", *fixed, "copyable_id")

    def has_delete_permission(self, request: HttpRequest, obj: Brick | None = None) -> bool:
        return False
