from typing import Any, get_args

from django.contrib import admin
from django.db.models import QuerySet, TextField
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display as column
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from billing import actors, catalog, figures
from billing.admin.brick_forms import RULE_FIELDS, BrickForm
from billing.admin.pages import PickableAdmin, copyable
from billing.aggregations import Colour
from billing.models import Brick

COLOURS: dict[str, str] = {colour: colour for colour in get_args(Colour)}
RULE_NOTE = "Only for a brick that counts events. A change applies to periods that are not closed."


@admin.register(Brick)
class BrickAdmin(PickableAdmin):
    form = BrickForm
    list_display = ("name", "metering", "unit_label", "shown_reference", "copyable_id")
    list_filter = ("aggregation",)
    list_select_related = ("workspace",)
    search_fields = ("^name", "=reference", "=id")
    ordering = ("name", "pk")
    fields = ("name", "workspace", "aggregation", "unit_label", "description", "reference", "id")
    formfield_overrides = {TextField: {"widget": UnfoldAdminExpandableTextareaWidget}}

    @column(description="Metering", label=COLOURS, ordering="aggregation")
    def metering(self, brick: Brick) -> tuple[str, str]:
        return brick.metering.colour, brick.metering.short_label

    @column(description="Reference", ordering="reference")
    def shown_reference(self, brick: Brick) -> str:
        return figures.identifier(brick.reference)

    @column(description="ID")
    def copyable_id(self, brick: Brick) -> str:
        return copyable(brick.pk)

    @column(description="Rule")
    def current_rule(self, brick: Brick) -> str:
        rule = catalog.current_rules(workspace_id=brick.workspace_id, brick_ids=[brick.pk]).get(brick.pk)
        return figures.event_rule(rule) if rule else figures.NOTHING

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brick]:
        return super().get_queryset(request).select_related("workspace")

    def get_fieldsets(self, request: HttpRequest, obj: Brick | None = None) -> Any:
        # The form of a new brick shows the workspace that it is added to.
        kept = tuple(name for name in self.fields if name not in ("workspace", "id"))
        fields = self.fields if obj is None else (*kept, "copyable_id")
        counts_events = obj is None or obj.metering.takes_events
        if not counts_events and "aggregation" in self.get_readonly_fields(request, obj):
            return ((None, {"fields": fields}),)
        rule = RULE_FIELDS if obj is None or self.has_change_permission(request, obj) else ("current_rule",)
        return (None, {"fields": fields}), ("Counted events", {"fields": rule, "description": RULE_NOTE})

    def get_readonly_fields(self, request: HttpRequest, obj: Brick | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("workspace",)
        fixed = ("aggregation",) if obj.lines.exists() else ()
        return (*fixed, "copyable_id", "current_rule")

    def has_delete_permission(self, request: HttpRequest, obj: Brick | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Brick, form: BrickForm, change: bool) -> None:
        columns = ("name", "aggregation", "unit_label", "description", "reference")
        # Untouched fields may have been changed by others.
        touched = [name for name in columns if name in form.changed_data] if change else columns
        given: dict[str, Any] = {name: getattr(obj, name) or "" for name in touched} | {"rule": form.rule}
        actor, now = actors.person(request.user), timezone.now()
        if change:
            catalog.update_brick(brick=obj, **given, actor=actor, as_of=now)
        else:
            catalog.create_brick(workspace=obj.workspace, id=obj.pk, **given, actor=actor, as_of=now)
