"""A usage as Piriod's clients send and see it, and the query of a list."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.conf import settings
from django.core.validators import EMPTY_VALUES
from django.db.models import BigIntegerField, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_filters.fields import BaseCSVField
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Line, Workspace
from usage.dialects.shared import lists
from usage.dialects.shared.fields import MomentField, MomentOrDayField, NotAMoment, QuantityField, parse_moment_or_day
from usage.dialects.shared.query_parameters import NumberFormField, WholeFormField
from usage.ledger import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT
from usage.models import UsageRecord

GREATEST_ID = BigIntegerField.MAX_BIGINT


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": GREATEST_ID})
class LineField(serializers.Field):
    """The integer id of a line; whether there is one, the ledger says."""

    default_error_messages = {
        "incorrect_type": "Incorrect type. Expected pk value, received {data_type}.",
        "does_not_exist": 'Invalid pk "{pk_value}" - object does not exist.',
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and data.isascii() and data.isdigit() and len(data) < 40:
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("incorrect_type", data_type=type(data).__name__)
        # The range first: 1e999999999 is a short text, but an int of a billion digits.
        if not 0 < data <= GREATEST_ID or data != int(data):
            self.fail("does_not_exist", pk_value=data)
        return int(data)


class UsageSerializer(serializers.Serializer):
    id = serializers.IntegerField(read_only=True)
    subscription_line = LineField()
    date_time = MomentOrDayField()
    quantity = QuantityField()
    creation_scheme = serializers.ChoiceField(UsageRecord.Source.choices, read_only=True)
    created = MomentField(read_only=True)


class UsagePageSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageSerializer(many=True)


class _WholeFilter(django_filters.Filter):
    field_class = WholeFormField


class _NumberFilter(django_filters.NumberFilter):
    field_class = NumberFormField


class _ListField(BaseCSVField):
    """Values between commas. An empty list is refused: what is meant by it is nothing, and not all that there is."""

    def clean(self, value: list[str] | None) -> Any:
        if value is None:
            return None
        if len(value) > settings.FILTER_VALUES:
            raise forms.ValidationError(f"Give at most {settings.FILTER_VALUES} values.")
        if not all(map(str.strip, value)) or not value:
            raise forms.ValidationError("Give values with a comma between them.")
        return super().clean(value)


class _ListFilter(django_filters.BaseInFilter):
    base_field_class = _ListField

    def __init__(self, field_class: type[forms.Field], **options: Any) -> None:
        self.field_class = field_class
        super().__init__(**options)


class _MomentFormField(forms.Field):
    # A form has no context: the zone is the one that the view makes Django's current one.
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
    """Newest first unless asked otherwise, and always one certain order, so that pages neither repeat nor skip.

    What is asked for by its moments is ordered by them, as the index is that finds it.
    """

    def filter(self, queryset: QuerySet[UsageRecord], value: list[str] | None) -> QuerySet[UsageRecord]:
        asked = [self.get_ordering_value(name) for name in value or () if name not in EMPTY_VALUES]
        sent = self.parent.form.cleaned_data
        by_moment = any(sent[name] is not None for name in self.parent.filters if name.startswith("date_time"))
        order = asked or ["-occurred_at"] * by_moment
        return queryset.alias(shown_id=Coalesce("origin_id", "id")).order_by(*order, "-id")


def _known_as(queryset: QuerySet[UsageRecord], name: str, value: Any) -> QuerySet[UsageRecord]:
    """Leave the usages whose senders know them by these ids: those of the first record of their chain."""
    ids = value if isinstance(value, list) else [value]
    return queryset.filter(Q(pk__in=ids, origin=None) | Q(origin__in=ids))


_BOUNDS: dict[str, Any] = {"min_value": 0, "max_value": GREATEST_ID}
_DIGITS: dict[str, Any] = {
    "max_digits": DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT,
    "decimal_places": DIGITS_AFTER_POINT,
}
_SOURCES: dict[str, Any] = {"field_name": "source", "choices": UsageRecord.Source.choices}


class UsageFilter(django_filters.FilterSet):
    """What a list can be filtered by; ``views`` refuses all other parameters."""

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
