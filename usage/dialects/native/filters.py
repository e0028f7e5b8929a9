"""Filters of lists, each with the schema of its parameter."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db import connection
from django.db.models import CharField, Q, QuerySet, TextChoices, Value
from django.db.models.enums import ChoicesType

from billing.models import Workspace
from usage.dialects.native.fields import GREATEST_WHOLE, WHOLE, parse_id
from usage.dialects.shared.fields import NotAMoment, parse_moment
from usage.dialects.shared.query_parameters import WholeFormField

Choices = list[tuple[str, str]]


class NativeFilterSet(django_filters.FilterSet):
    """Filters of a list of a workspace's rows."""

    def __init__(self, *args: Any, workspace: Workspace, **options: Any) -> None:
        super().__init__(*args, **options)
        self.workspace = workspace


class TextFilter(django_filters.CharFilter):
    schema = {"type": "string", "minLength": 1}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, strip=False)


class WordFilter(django_filters.ChoiceFilter):
    """One of a few words."""

    def __init__(self, words: type[TextChoices] | Callable[[], Choices], **options: Any) -> None:
        choices = words.choices if isinstance(words, ChoicesType) else words
        super().__init__(choices=choices, **options)
        self.words = choices

    @property
    def schema(self) -> dict[str, Any]:
        words = self.words() if callable(self.words) else self.words
        return {"type": "string", "enum": [word for word, _ in words]}


class FlagFilter(django_filters.TypedChoiceFilter):
    schema = {"type": "boolean"}

    def __init__(self, **options: Any) -> None:
        words = {"true": True, "false": False}
        super().__init__(choices=[(word, word) for word in words], coerce=words.__getitem__, **options)


class WholeFilter(django_filters.Filter):
    schema = WHOLE
    field_class = WholeFormField

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, min_value=1, max_value=GREATEST_WHOLE)


class NamedFilter(TextFilter):
    """Filter by the row that a listed row belongs to, given by its id or its reference."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value:
            return queryset
        known = parse_id(value)
        by_reference = Q(**{f"{self.field_name}__reference": value})
        return queryset.filter(by_reference if known is None else by_reference | Q(**{f"{self.field_name}_id": known}))


class _MomentFormField(forms.CharField):
    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return parse_moment(text, zone=UTC) if text else None
        except NotAMoment as error:
            raise forms.ValidationError(str(error)) from error


class MomentFilter(django_filters.Filter):
    schema = {"type": "string", "format": "date-time"}
    field_class = _MomentFormField


class SinceFilter(MomentFilter):
    """Filter by ``created_at``, set by the database: rows from a moment on or, with ``exclude``, rows before it."""

    def filter(self, queryset: QuerySet, value: datetime | None) -> QuerySet:
        if value is None:
            return queryset
        moment: Any = value
        if connection.vendor == "sqlite":
            # On SQLite moments are text, and those that the database sets have milliseconds: a moment without its
            # trailing zeros does not compare as later than itself.
            moment = Value(_shortest(value), output_field=CharField())
        return self.get_method(queryset)(created_at__gte=moment)


def _shortest(moment: datetime) -> str:
    whole, point, fraction = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ").partition(".")
    return f"{whole}{point}{fraction.rstrip('0')}"


class CreatedFilterSet(NativeFilterSet):
    created_from = SinceFilter(help_text="Created at this moment or later.")
    created_before = SinceFilter(help_text="Created before this moment.", exclude=True)
