"""Views of bricks and their event rules."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import catalog
from billing.aggregations import brick_choices, rule_choices
from billing.catalog import EventTerms
from billing.models import Brick, EventRule
from usage.dialects.native.base import NativeView, row_by_id, shown_by
from usage.dialects.native.fields import FlagField, IdField, MomentField, ReferenceField, TextField, WordField
from usage.dialects.native.filters import CreatedFilterSet, FlagFilter, TextFilter, WordFilter
from usage.dialects.native.openapi import by_id, creation, listing
from usage.dialects.shared.lists import bytes_of


class FiltersField(serializers.DictField):
    """Property -> values; the number of filters is checked before any of them is parsed."""

    default_error_messages = {"many": "Ensure this field has no more than {most} filters."}

    def __init__(self, **options: Any) -> None:
        value = TextField(allow_blank=True, max_length=catalog.MAX_NAME)
        values = serializers.ListField(child=value, min_length=1, max_length=settings.EVENT_RULE_VALUES)
        super().__init__(child=values, **options)

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        if isinstance(data, dict) and len(data) > settings.EVENT_RULE_FILTERS:
            self.fail("many", most=settings.EVENT_RULE_FILTERS)
        return super().to_internal_value(data)


class RuleSerializer(serializers.Serializer):
    event_type = TextField(max_length=255)
    aggregation = WordField(choices=rule_choices)
    property = TextField(
        max_length=255,
        allow_blank=True,
        default="",
        help_text="The property whose values are added or counted distinctly.",
    )
    filters = FiltersField(
        default=dict, help_text="Property -> its matching values; an event has to match all filters."
    )
    negated = serializers.ListField(
        child=TextField(max_length=255),
        default=list,
        max_length=settings.EVENT_RULE_FILTERS,
        help_text="The properties whose values must not match.",
    )
    is_case_sensitive = FlagField(default=True)


class CurrentRuleSerializer(RuleSerializer):
    def get_attribute(self, instance: Brick) -> EventRule | None:
        return next(iter(instance.event_rules.all()), None)


class BrickSerializer(serializers.Serializer):
    id = IdField()
    name = TextField()
    reference = ReferenceField(required=True)
    aggregation = WordField(choices=brick_choices)
    unit_label = TextField()
    description = TextField(allow_blank=True)
    rule = CurrentRuleSerializer(allow_null=True)
    archived_at = MomentField(allow_null=True)
    created_at = MomentField()


class NewBrickSerializer(serializers.Serializer):
    id = IdField(required=False)
    name = TextField(max_length=200)
    reference = ReferenceField()
    aggregation = WordField(choices=brick_choices)
    unit_label = TextField(max_length=40, required=False)
    description = TextField(max_length=1000, required=False, allow_blank=True)
    rule = RuleSerializer(required=False, allow_null=True)


class BrickChangeSerializer(serializers.Serializer):
    name = TextField(max_length=200, required=False)
    reference = ReferenceField()
    unit_label = TextField(max_length=40, required=False)
    description = TextField(max_length=1000, required=False, allow_blank=True)
    rule = RuleSerializer(required=False, help_text="Applies from now on; closed periods keep their rule.")


class BrickFilter(CreatedFilterSet):
    name = TextFilter()
    reference = TextFilter()
    aggregation = WordFilter(brick_choices)
    is_archived = FlagFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)


show = shown_by(BrickSerializer)


class BricksView(NativeView):
    paths = {name: f"rule.{name}" for name in ("event_type", "property", "filters", "negated")}

    @property
    def current_rules(self) -> QuerySet[EventRule]:
        return EventRule.objects.filter(workspace=self.workspace, replaced_at=None).defer("folded_filters")

    @property
    def beside(self) -> Prefetch:
        return Prefetch("event_rules", self.current_rules)

    def gather(self, bricks: Sequence[Brick]) -> None:
        prefetch_related_objects(bricks, self.beside)

    def bricks(self) -> QuerySet[Brick]:
        return Brick.objects.filter(workspace=self.workspace).prefetch_related(self.beside)


class BrickListView(BricksView):
    @listing("listBricks", of=BrickSerializer, filters=BrickFilter)
    def get(self, request: Request) -> Response:
        found = self.filtered(BrickFilter, Brick.objects.filter(workspace=self.workspace))
        rule = self.current_rules.filter(brick=OuterRef("pk")).values(bytes=bytes_of("filters"))
        weight = Coalesce(Subquery(rule), 0)
        return self.page(found, show, by="created_at", weight=weight, gather=self.gather)

    @creation("createBrick", request=NewBrickSerializer, reply=BrickSerializer)
    def post(self, request: Request) -> Response:
        data = _with_terms(self.validated(NewBrickSerializer, request.data))
        brick = catalog.create_brick(workspace=self.workspace, as_of=timezone.now(), **data, actor=self.actor)
        return self.created(show(self.bricks().get(pk=brick.pk)))


@by_id("brick_id")
class BrickView(BricksView):
    @extend_schema(operation_id="readBrick", responses=BrickSerializer)
    def get(self, request: Request, brick_id: str) -> Response:
        return Response(show(row_by_id(self.bricks(), brick_id)))

    @extend_schema(operation_id="changeBrick", request=BrickChangeSerializer, responses=BrickSerializer)
    def patch(self, request: Request, brick_id: str) -> Response:
        brick = row_by_id(self.bricks(), brick_id)
        data = _with_terms(self.validated(BrickChangeSerializer, request.data))
        if data.get("reference", "") is None:
            data["reference"] = ""
        catalog.update_brick(brick=brick, as_of=timezone.now(), **data, actor=self.actor)
        return Response(show(self.bricks().get(pk=brick.pk)))


@by_id("brick_id")
class BrickArchiveView(BricksView):
    @extend_schema(operation_id="archiveBrick", request=None, responses=BrickSerializer)
    def post(self, request: Request, brick_id: str) -> Response:
        """Archive the brick: subscriptions that have it continue, and no further lines of it can be added."""
        brick = row_by_id(self.bricks(), brick_id)
        catalog.archive_brick(brick=brick, as_of=timezone.now(), actor=self.actor)
        return Response(show(self.bricks().get(pk=brick.pk)))


def _with_terms(data: dict[str, Any]) -> dict[str, Any]:
    return data if data.get("rule") is None else data | {"rule": EventTerms(**data["rule"])}
