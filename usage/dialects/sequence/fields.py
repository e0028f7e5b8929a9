"""Serializer fields of Sequence: free properties, lists in a query string, filters, days or moments."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from billing.calendar import CalendarOutOfRange, end_of, midnight
from billing.storage.jsontext import can_be_kept
from usage.dialects.shared.fields import MomentField, is_day

MAX_NAME = 255
_LAST_MOMENT_INCLUDED = timedelta(microseconds=1)


class NameField(serializers.CharField):
    """A name, which is compared exactly, and so kept with its blanks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_NAME, trim_whitespace=False, **options)


@extend_schema_field({"type": "object"})
class ObjectField(serializers.Field):
    """A JSON object with any members."""

    default_error_messages = {"invalid": "Expected an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "items": {"type": ["string", "number", "boolean"]},
        },
    }
)
class FiltersField(ObjectField):
    """Property -> its matching values as texts: numbers as plain digits, booleans as true or false."""

    default_error_messages = {"values": "Each property requires a list of texts, numbers or booleans."}

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        return {name: self._texts(values) for name, values in super().to_internal_value(data).items()}

    def _texts(self, values: Any) -> list[str]:
        if not isinstance(values, list) or not all(map(_is_plain, values)):
            self.fail("values")
        return [_text(value) for value in values]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | int | Decimal) and can_be_kept(value)


def _text(value: str | bool | int | Decimal) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    digits = f"{Decimal(value):f}" if value else "0"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class NamesField(serializers.Field):
    """A JSON list of texts."""

    default_error_messages = {"invalid": "Expected a list of texts."}

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
            self.fail("invalid")
        return data


class QueriedField(serializers.Field):
    """Texts in a query string; the parameter may be repeated."""

    default_error_messages = {
        "invalid": "Give at most {most} texts of at most {longest} characters.",
        "empty": "An empty value is not accepted.",
    }

    def texts(self, sent: list[str]) -> list[str]:
        return sent

    def get_value(self, dictionary: Mapping[Any, Any]) -> Any:
        sent = dictionary.getlist(self.field_name)  # type: ignore[attr-defined]  # of a QueryDict
        return self.texts(sent) if sent else empty

    def to_internal_value(self, data: list[str]) -> list[str]:
        most = settings.FILTER_VALUES
        if len(data) > most or any(len(text) > MAX_NAME or "\0" in text for text in data):
            self.fail("invalid", most=most, longest=MAX_NAME)
        if not all(data):
            self.fail("empty")
        return data


@extend_schema_field(
    {"type": "array", "items": {"type": "string", "maxLength": MAX_NAME}, "maxItems": settings.FILTER_VALUES}
)
class RepeatedField(QueriedField):
    """Texts in a query string, each in a separate parameter."""


@extend_schema_field({"type": "string", "description": "Separated by commas; percent-encode commas within a text."})
class CommaSeparatedField(QueriedField):
    """Texts in one parameter, separated by commas; each is percent-encoded twice, so that it may contain commas."""

    default_error_messages = {"invalid_choice": "“{choice}” is not a valid choice."}

    def __init__(self, *, choices: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def texts(self, sent: list[str]) -> list[str]:
        return [unquote(text) for joined in sent for text in joined.split(",")]

    def to_internal_value(self, data: list[str]) -> list[str]:
        for text in super().to_internal_value(data):
            if self.choices and text not in self.choices:
                self.fail("invalid_choice", choice=text)
        return data


@extend_schema_field({"type": "string", "description": "A day, or a moment as ISO 8601 has it."})
class PeriodEdgeField(MomentField):
    """A day or a moment; the end of a period is inclusive, and returned as the first moment after it."""

    def __init__(self, *, is_end: bool, **options: Any) -> None:
        super().__init__(**options)
        self.is_end = is_end

    def to_internal_value(self, data: Any) -> datetime:
        if not is_day(data):
            moment = super().to_internal_value(data)
            return moment + _LAST_MOMENT_INCLUDED if self.is_end else moment
        edge = end_of if self.is_end else midnight
        try:
            return edge(date.fromisoformat(data), tz=self.context["zone"])
        except CalendarOutOfRange as error:
            raise serializers.ValidationError(str(error)) from error
        except ValueError as error:
            raise serializers.ValidationError("There is no such day.") from error
