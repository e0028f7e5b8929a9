"""Shared serializer fields: exact numbers, moments and free JSON; and the JSON number of a quantity."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.calendar import midnight
from usage.ledger import QuantityRefused, exact_quantity

# Many languages write decimals as strings to keep them exact. Python also parses 1_0 and digits of other scripts, which
# are refused in bodies and query strings alike.
PLAIN_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_MOMENT = re.compile(r"[0-9W-]+[Tt ][0-9:.,]+([Zz]|[+-][0-9:]+)?")
# The framework of some vendors also accepts only a day, and blanks before the offset.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLANKS_BEFORE_OFFSET = re.compile(r"\s+(?=([Zz]|[+-][0-9:]+)\Z)")
_EPOCH = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# The longest moment has 39 characters. Longer texts are refused without parsing: some patterns take quadratic time.
LONGEST_MOMENT = 64
NO_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
# Within these years a moment can be converted to any zone without leaving the calendar.
_FIRST_YEAR, _LAST_YEAR = 2, 9998


def plain_number(sent: Any) -> Decimal | None:
    """Return the number that was sent, as JSON number or as plain decimal in a string; None for anything else."""
    if isinstance(sent, str):
        return Decimal(sent) if PLAIN_NUMBER.fullmatch(sent) else None
    return Decimal(sent) if isinstance(sent, int | Decimal) and not isinstance(sent, bool) else None


@extend_schema_field({"type": "number"})
class QuantityField(serializers.Field):
    """A JSON number, or a plain decimal in a string, which is stored exactly."""

    default_error_messages = {"invalid": "A valid number is required."}

    def to_internal_value(self, data: Any) -> Decimal:
        number = plain_number(data)
        if number is None:
            self.fail("invalid")
        try:
            return exact_quantity(number)
        except QuantityRefused as error:
            raise serializers.ValidationError(error.message) from error


@extend_schema_field({"type": "integer", "minimum": 0})
class CountField(QuantityField):
    """A whole number of zero or more, also in the form ``7.0``."""

    default_error_messages = {
        "invalid": "A valid integer is required.",
        "negative": "Ensure this value is greater than or equal to 0.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        number = super().to_internal_value(data)
        if number != number.to_integral_value():
            self.fail("invalid")
        if number < 0:
            self.fail("negative")
        return number


def is_day(text: str) -> bool:
    """Tell whether a text has the form of an ISO 8601 day without a time; the day need not exist."""
    return _DAY.fullmatch(text) is not None


class NotAMoment(ValueError):
    """The text is not a valid moment."""


def text_of(sent: Any) -> str:
    """Return a moment as sent as text; for a number its digits, so that the error can quote it."""
    return sent if isinstance(sent, str) else str(sent) if isinstance(sent, int | Decimal) else ""


def parse_moment(text: str, *, zone: tzinfo) -> datetime:
    """Parse an ISO 8601 date and time, separated by ``T`` or a space, and return it in UTC; raise ``NotAMoment``.

    Without an offset it is in ``zone``, and refused if the clock skips it.
    """
    _refuse_longer(text)
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        epoch = " Numbers of seconds or milliseconds are not accepted." if _EPOCH.fullmatch(text) else ""
        raise NotAMoment(NO_MOMENT + epoch) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise NotAMoment("Datetime is out of range.")
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    in_utc = moment.replace(tzinfo=zone).astimezone(UTC)
    if in_utc.astimezone(zone).replace(tzinfo=None) != moment:
        raise NotAMoment(f"There is no such time in {zone}: the clock skips it.")
    return in_utc


def parse_moment_or_day(text: str, *, zone: tzinfo) -> datetime:
    """Parse what ``parse_moment`` parses, blanks before the offset, or a day, which means its start in ``zone``.

    The framework of some vendors' APIs does the same. Raises ``NotAMoment``.
    """
    _refuse_longer(text)
    if not is_day(text):
        return parse_moment(_BLANKS_BEFORE_OFFSET.sub("", text), zone=zone)
    # Parsing the day's noon checks that the day exists.
    return midnight(parse_moment(f"{text}T12:00Z", zone=UTC).date(), tz=zone)


def _refuse_longer(text: str) -> None:
    if len(text) > LONGEST_MOMENT:
        raise NotAMoment(NO_MOMENT)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):
    """A moment; without an offset, in the zone of the serializer's context."""

    parse: ClassVar[Callable[..., datetime]] = staticmethod(parse_moment)

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return self.parse(text_of(data), zone=self.context["zone"])
        except NotAMoment as error:
            raise serializers.ValidationError(str(error)) from error


class MomentOrDayField(MomentField):
    """A moment, or a day that means its start; see ``parse_moment_or_day``."""

    parse = staticmethod(parse_moment_or_day)


class NamingField(serializers.CharField):
    """A name: stored exactly, including blanks at its ends; refused if it consists of blanks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text.isspace():
            self.fail("blank")
        return text


class IdField(serializers.UUIDField):
    """A UUID in a string; the framework's field also accepts integers and ``true``."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


# Client generators need the type of an array's items, even if any type is allowed.
@extend_schema_field({"type": ["object", "array", "string", "number", "boolean"], "items": {}})
class AnyJSONField(serializers.Field):
    """Any JSON; the ledger refuses values that it can't store."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def json_number(quantity: Decimal) -> msgspec.Raw:
    """Return a quantity as a JSON number with all its digits, no exponent and at least one decimal: ``7.0``."""
    whole, _, fraction = f"{quantity:f}".partition(".") if quantity else ("0", "", "")
    return msgspec.Raw(f"{whole}.{fraction.rstrip('0') or '0'}".encode())
