"""Serializer fields of the native API, each with the exact schema of its values."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.money import DigitsRefused, exact_digits, format_decimal
from billing.names import parse_uuid
from usage.dialects.shared import fields

_DECIMAL_TEXT = f"^{fields.PLAIN_NUMBER.pattern}$"
# Days of these years start within the calendar in every time zone.
_FIRST_YEAR, _LAST_YEAR = 2, 9998


def parse_id(text: Any) -> uuid.UUID | None:
    """Return a text as a UUID, if it has the form with hyphens, or None."""
    return parse_uuid(text) if isinstance(text, str) else None


def as_utc(moment: datetime) -> str:
    """Format a moment as RFC 3339 in UTC."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


class TextField(serializers.CharField):
    """Text as sent, never converted from another type; white space alone counts as empty."""

    pattern: ClassVar[tuple[str, str]] = (r"\S", "This field may not be blank.")

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})
        if not self.allow_blank:
            self.validators.append(RegexValidator(*self.pattern))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class CurrencyField(TextField):
    """A currency's code; the domain checks that it exists."""

    pattern = (r"^[A-Z]{3}\Z", "A currency is three capital letters, such as USD.")


class ReferenceField(TextField):
    """The id of a row in another system; null if it has none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 100, "allow_null": True, "required": False, **options})


@extend_schema_field({"type": "string", "format": "uuid"})
class IdField(serializers.Field):
    default_error_messages = {"invalid": "Must be a valid UUID."}

    def to_internal_value(self, data: Any) -> uuid.UUID:
        known = parse_id(data)
        if known is None:
            self.fail("invalid")
        return known

    def to_representation(self, value: uuid.UUID) -> str:
        return str(value)


@extend_schema_field({"type": "string", "format": "date"})
class DayField(serializers.Field):
    """A day of the calendar in the workspace's time zone, such as 2026-07-01."""

    default_error_messages = {
        "invalid": "Date has wrong format. Use this format instead: YYYY-MM-DD.",
        "range": "Date is out of range.",
    }

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not fields.is_day(data):
            self.fail("invalid")
        try:
            day = date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            self.fail("range")
        return day

    def to_representation(self, value: date) -> str:
        return value.isoformat()


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(fields.MomentField):
    """A moment; one without an offset is in UTC."""

    def to_representation(self, value: datetime) -> str:
        return as_utc(value)


@extend_schema_field({"type": "boolean"})
class FlagField(serializers.Field):
    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data

    def to_representation(self, value: bool) -> bool:
        return value


GREATEST_WHOLE = 2**53 - 1
WHOLE = {"type": "integer", "minimum": 1, "maximum": GREATEST_WHOLE}


@extend_schema_field(WHOLE)
class WholeField(serializers.Field):
    """An integer of 1 or more that JavaScript clients represent exactly."""

    default_error_messages = {"invalid": "A valid integer is required.", "range": "Must be from 1 to {greatest}."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("invalid")
        # Check the range first: 1e999999999 is a short text, but an int of a billion digits.
        if not 1 <= data <= GREATEST_WHOLE:
            self.fail("range", greatest=GREATEST_WHOLE)
        if data != int(data):
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: int) -> int:
        return value


@extend_schema_field({"oneOf": [{"type": "string", "pattern": _DECIMAL_TEXT}, {"type": "number"}]})
class NumberField(serializers.Field):
    """An exact number, as a JSON number or a plain decimal in a string; above ``above``, and not below ``least``."""

    default_error_messages = {
        "invalid": "A valid number is required.",
        "above": "Ensure this value is greater than {bound}.",
        "least": "Ensure this value is greater than or equal to {bound}.",
    }

    def __init__(
        self, *, before: int, after: int, above: int | None = None, least: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.before, self.after, self.above, self.least = before, after, above, least

    def to_internal_value(self, data: Any) -> Decimal:
        number = fields.plain_number(data)
        if number is None:
            self.fail("invalid")
        try:
            exact = exact_digits(number, before=self.before, after=self.after)
        except DigitsRefused as error:
            raise serializers.ValidationError(str(error)) from error
        if self.above is not None and exact <= self.above:
            self.fail("above", bound=self.above)
        if self.least is not None and exact < self.least:
            self.fail("least", bound=self.least)
        return exact


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class NumberText(serializers.Field):
    """A number in a response: a string with exactly its digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, read_only=True)

    def to_representation(self, value: Decimal) -> str:
        return format_decimal(value)


class WordField(serializers.ChoiceField):
    """One of a few words, which may be given by a function that is called when the serializer is created."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices() if callable(choices) else choices, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)
