"""The filters and the order of a list, and the query parameters that ask for them."""

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.conf import settings
from django.core.validators import EMPTY_VALUES
from django.db.models import QuerySet
from django.utils import timezone
from django_filters.fields import BaseCSVField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from billing.models import Line, Workspace
from usage.chains import HANDLE, known_as
from usage.dialects.piriod.fields import GREATEST_ID
from usage.dialects.piriod.pagination import OF_PAGES
from usage.dialects.shared import lists
from usage.dialects.shared.fields import NotAMoment, parse_moment_or_day
from usage.dialects.shared.query_parameters import NumberFormField, WholeFormField
from usage.ledger import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT
from usage.models import UsageRecord


class _WholeFilter(django_filters.Filter):
    field_class = WholeFormField


class _NumberFilter(django_filters.NumberFilter):
    field_class = NumberFormField


class _ListField(BaseCSVField):
    """A list of values separated by commas. An empty list is refused, since all rows would match."""

    def clean(self, value: list[str] | None) -> Any:
        if value is None:
            return None
        if len(value) > settings.FILTER_VALUES:
            raise forms.ValidationError(f"Give at most {settings.FILTER_VALUES} values.")
        if not all(map(str.strip, value)) or not value:
            raise forms.ValidationError("Give values separated by commas.")
        return super().clean(value)


class _ListFilter(django_filters.BaseInFilter):
    base_field_class = _ListField

    def __init__(self, field_class: type[forms.Field], **options: Any) -> None:
        self.field_class = field_class
        super().__init__(**options)


class _MomentFormField(forms.Field):
    # Forms have no context: the view activates the workspace's time zone.
    def to_python(self, value: str | None) -> datetime | None:
        if value in EMPTY_VALUES:
            return None
        try:
            return parse_moment_or_day(str(value), zone=timezone.get_current_timezone())
        except NotAMoment as error:
            raise forms.ValidationError(str(error)) from error


class _MomentFilter(django_filters.Filter):
    field_class = _MomentFormField


class _Ordering(django_filters.OrderingFilter):
    """The order of a list: newest first by default, and always total, so that pages neither repeat nor skip rows.

    A list that is filtered by ``date_time`` is ordered by it, like its index.
    """

    def filter(self, queryset: QuerySet[UsageRecord], value: list[str] | None) -> QuerySet[UsageRecord]:
        asked = [self.get_ordering_value(name) for name in value or () if name not in EMPTY_VALUES]
        sent = self.parent.form.cleaned_data
        by_moment = any(sent[name] is not None for name in self.parent.filters if name.startswith("date_time"))
        order = asked or ["-occurred_at"] * by_moment
        return queryset.alias(shown_id=HANDLE).order_by(*order, "-id")


def _known_as(queryset: QuerySet[UsageRecord], name: str, value: Any) -> QuerySet[UsageRecord]:
    """Filter usages by their ids, which are those of the first records of their chains."""
    ids = value if isinstance(value, list) else [value]
    return queryset.filter(known_as(ids, "in"))


_BOUNDS: dict[str, Any] = {"min_value": 0, "max_value": GREATEST_ID}
_DIGITS: dict[str, Any] = {
    "max_digits": DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT,
    "decimal_places": DIGITS_AFTER_POINT,
}
_SOURCES: dict[str, Any] = {"field_name": "source", "choices": UsageRecord.Source.choices}


class UsageFilter(django_filters.FilterSet):
    """The filters of a list; ``views`` refuses all other parameters."""

    id = _WholeFilter(method=_known_as, **_BOUNDS)
    id__in = _ListFilter(WholeFormField, method=_known_as, **_BOUNDS)
    subscription_line = _WholeFilter(method="of_lines", **_BOUNDS)
    subscription_line__in = _ListFilter(WholeFormField, method="of_lines", **_BOUNDS)
    date_time = _MomentFilter(field_name="occurred_at")
    date_time__gte = _MomentFilter(field_name="occurred_at", lookup_expr="gte")
    date_time__lte = _MomentFilter(field_name="occurred_at", lookup_expr="lte")
    date_time__gt = _MomentFilter(field_name="occurred_at", lookup_expr="gt")
    date_time__lt = _MomentFilter(field_name="occurred_at", lookup_expr="lt")
    quantity = _NumberFilter(**_DIGITS)
    quantity__in = _ListFilter(NumberFormField, field_name="quantity", **_DIGITS)
    quantity__gte = _NumberFilter(field_name="quantity", lookup_expr="gte", **_DIGITS)
    quantity__lte = _NumberFilter(field_name="quantity", lookup_expr="lte", **_DIGITS)
    quantity__gt = _NumberFilter(field_name="quantity", lookup_expr="gt", **_DIGITS)
    quantity__lt = _NumberFilter(field_name="quantity", lookup_expr="lt", **_DIGITS)
    creation_scheme = django_filters.ChoiceFilter(**_SOURCES)
    creation_scheme__in = _ListFilter(forms.ChoiceField, **_SOURCES)
    created = _MomentFilter(field_name="recorded_at")
    created__gte = _MomentFilter(field_name="recorded_at", lookup_expr="gte")
    created__lte = _MomentFilter(field_name="recorded_at", lookup_expr="lte")
    created__gt = _MomentFilter(field_name="recorded_at", lookup_expr="gt")
    created__lt = _MomentFilter(field_name="recorded_at", lookup_expr="lt")
    ordering = _Ordering(
        fields={"shown_id": "id", "occurred_at": "date_time", "quantity": "quantity", "recorded_at": "created"}
    )

    def __init__(self, *args: Any, workspace: Workspace, **options: Any) -> None:
        super().__init__(*args, **options)
        self.workspace = workspace

    def of_lines(self, queryset: QuerySet[UsageRecord], name: str, value: Any) -> QuerySet[UsageRecord]:
        numbers = value if isinstance(value, list) else [value]
        return queryset.filter(lists.of_lines(Line.objects.filter(workspace=self.workspace, number__in=numbers)))


_BETWEEN_COMMAS = f"At most {settings.FILTER_VALUES} values, with commas between them."


def _ordered(name: str, kind: Any) -> list[OpenApiParameter]:
    return [OpenApiParameter(f"{name}{lookup}", kind) for lookup in ("", "__gte", "__gt", "__lte", "__lt")]


LIST_PARAMETERS = [
    *OF_PAGES,
    OpenApiParameter("id", int),
    OpenApiParameter("subscription_line", int),
    OpenApiParameter("creation_scheme", str, enum=UsageRecord.Source.values),
    *_ordered("quantity", OpenApiTypes.NUMBER),
    *_ordered("date_time", OpenApiTypes.DATETIME),
    *_ordered("created", OpenApiTypes.DATETIME),
    *(
        OpenApiParameter(f"{name}__in", str, description=_BETWEEN_COMMAS)
        for name in ("id", "subscription_line", "creation_scheme", "quantity")
    ),
]
PARAMETERS = frozenset(parameter.name for parameter in LIST_PARAMETERS)
