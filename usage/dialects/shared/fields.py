"""Serializer fields that dialects share: exact numbers, moments, free JSON; and how a quantity is written."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.calendar import midnight
from usage.ledger import QuantityRefused, exact_quantity

# Many languages write decimals as strings, to keep them exact. Python reads more, such as 1_0 and digits of other
# scripts, which is refused in bodies and queries alike.
PLAIN_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_MOMENT = re.compile(r"[0-9W-]+[Tt ][0-9:.,]+([Zz]|[+-][0-9:]+)?")
# What the framework of some vendors takes besides: a day alone, and blanks before the offset.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLANKS_BEFORE_OFFSET = re.compile(r"\s+(?=([Zz]|[+-][0-9:]+)\Z)")
_EPOCH = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# The longest moment has 39 characters. No longer text is looked at: the time some patterns take grows with its square.
LONGEST_MOMENT = 64
NO_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
# Within these years a moment can be shown in any zone without leaving the calendar.
_FIRST_YEAR, _LAST_YEAR = 2, 9998


@extend_schema_field({"type": "number"})
class QuantityField(serializers.Field):
    """A JSON number, or a plain decimal in a string, that the ledger keeps digit for digit."""

    default_error_messages = {"invalid": "A valid number is required."}

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str) and PLAIN_NUMBER.fullmatch(data):
            data = Decimal(data)
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("invalid")
        try:
            return exact_quantity(Decimal(data))
        except QuantityRefused as error:
            raise serializers.ValidationError(error.message) from error


@extend_schema_field({"type": "integer", "minimum": 0})
class CountField(QuantityField):
    """A whole number of zero or more; ``7.0`` is one."""

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
    """Tell whether a text is a day alone, as ISO 8601 writes it; there may be no such day."""
    return _DAY.fullmatch(text) is not None


class NotAMoment(ValueError):
    """The text names no moment that could be kept."""


def text_of(sent: Any) -> str:
    """Return what was sent in place of a text that says when: a number's digits, so that a refusal may speak of it."""
    return sent if isinstance(sent, str) else str(sent) if isinstance(sent, int | Decimal) else ""


def parse_moment(text: str, *, zone: tzinfo) -> datetime:
    """Read an ISO 8601 date and time, ``T`` or a space between them, and return it in UTC; raise ``NotAMoment``.

    Without an offset it is in ``zone``, and refused where the clock was put forward over it.
    """
    _refuse_longer(text)
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        epoch = " Numbers of seconds or milliseconds are not taken." if _EPOCH.fullmatch(text) else ""
        raise NotAMoment(NO_MOMENT + epoch) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise NotAMoment("Datetime is out of range.")
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    in_utc = moment.replace(tzinfo=zone).astimezone(UTC)
    if in_utc.astimezone(zone).replace(tzinfo=None) != moment:
        raise NotAMoment(f"There is no such time in {zone}: the clock was put forward over it.")
    return in_utc


def parse_moment_or_day(text: str, *, zone: tzinfo) -> datetime:
    """Read what ``parse_moment`` reads, blanks before the offset, or a day alone: when it begins in ``zone``.

    So does the framework on which some vendors' APIs are built. Raises ``NotAMoment``.
    """
    _refuse_longer(text)
    if not is_day(text):
        return parse_moment(_BLANKS_BEFORE_OFFSET.sub("", text), zone=zone)
    # A day's noon tells whether there is such a day.
    return midnight(parse_moment(f"{text}T12:00Z", zone=UTC).date(), tz=zone)


def _refuse_longer(text: str) -> None:
    if len(text) > LONGEST_MOMENT:
        raise NotAMoment(NO_MOMENT)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):
    """A moment; without an offset it is in the zone that the serializer's context names."""

    parse: ClassVar[Callable[..., datetime]] = staticmethod(parse_moment)

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return self.parse(text_of(data), zone=self.context["zone"])
        except NotAMoment as error:
            raise serializers.ValidationError(str(error)) from error


class MomentOrDayField(MomentField):
    """A moment, or a day for its beginning, as ``parse_moment_or_day`` reads them."""

    parse = staticmethod(parse_moment_or_day)


class NamingField(serializers.CharField):
    """A text that names something: kept to the letter, with the blanks at its ends, but more than blanks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text.isspace():
            self.fail("blank")
        return text


# Generators of clients want to know of what an array is, also where it may be of anything.
@extend_schema_field({"type": ["object", "array", "string", "number", "boolean"], "items": {}})
class AnyJSONField(serializers.Field):
    """Whatever was sent; the ledger refuses what it can't keep."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def json_number(quantity: Decimal) -> msgspec.Raw:
    """Return a quantity as JSON number, all its digits and no exponent, with one decimal at least: ``7.0``."""
    whole, _, fraction = f"{quantity:f}".partition(".") if quantity else ("0", "", "")
    return msgspec.Raw(f"{whole}.{fraction.rstrip('0') or '0'}".encode())
