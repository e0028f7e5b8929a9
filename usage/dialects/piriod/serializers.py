"""A usage as Piriod's clients send and see it, and the query of a list."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import BigIntegerField, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from usage.dialects.fields import MomentField, NotAMoment, QuantityField, parse_moment
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
    date_time = MomentField()
    quantity = QuantityField()
    creation_scheme = serializers.ChoiceField(UsageRecord.Source.choices, read_only=True)
    created = MomentField(read_only=True)


class UsagePageSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageSerializer(many=True)


class _LineFilter(django_filters.Filter):
    field_class = forms.IntegerField


class _MomentFormField(forms.Field):
    # A form has no context: the zone is the one that the view makes Django's current one.
    def to_python(self, value: str | None) -> datetime | None:
        if value in EMPTY_VALUES:
            return None
        try:
            return parse_moment(str(value), zone=timezone.get_current_timezone())
        except NotAMoment as error:
            raise forms.ValidationError(str(error)) from error


class _MomentFilter(django_filters.Filter):
    field_class = _MomentFormField


class _Ordering(django_filters.OrderingFilter):
    """Newest first unless asked otherwise, and always one certain order, so that pages neither repeat nor skip."""

    def filter(self, queryset: QuerySet[UsageRecord], value: list[str] | None) -> QuerySet[UsageRecord]:
        asked = [self.get_ordering_value(name) for name in value or () if name not in EMPTY_VALUES]
        return queryset.alias(shown_id=Coalesce("origin_id", "id")).order_by(*asked, "-id")


class UsageFilter(django_filters.FilterSet):
    subscription_line = _LineFilter(field_name="line_id", min_value=0, max_value=GREATEST_ID)
    date_time = _MomentFilter(field_name="occurred_at")
    date_time__gte = _MomentFilter(field_name="occurred_at", lookup_expr="gte")
    date_time__lte = _MomentFilter(field_name="occurred_at", lookup_expr="lte")
    date_time__gt = _MomentFilter(field_name="occurred_at", lookup_expr="gt")
    date_time__lt = _MomentFilter(field_name="occurred_at", lookup_expr="lt")
    quantity = django_filters.NumberFilter(
        max_digits=DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT,
        decimal_places=DIGITS_AFTER_POINT,
    )
    creation_scheme = django_filters.ChoiceFilter(field_name="source", choices=UsageRecord.Source.choices)
    ordering = _Ordering(
        fields={"shown_id": "id", "occurred_at": "date_time", "quantity": "quantity", "recorded_at": "created"}
    )
