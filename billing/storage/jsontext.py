"""JSON with exact numbers: every fraction is parsed and written as a ``Decimal``, never as a float."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

# PostgreSQL stores up to 16,383 decimal places, and Python parses integers of up to 4,300 digits.
MAX_DIGITS = 1000
# Python parses JSON only as deep as its call stack allows, which depends on the caller.
MAX_LEVELS = 50

_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical_encoder = msgspec.json.Encoder(decimal_format="string", order="sorted")


class MalformedJSON(ValueError):
    """The text is not JSON, or contains something that the databases can't store."""


def _refuse_constant(name: str) -> None:
    raise MalformedJSON(f"{name} is not a JSON number.")


def decode(text: str | bytes) -> Any:
    """Parse JSON, numbers with a fraction or an exponent to ``Decimal``; raise ``MalformedJSON``.

    ``NaN`` and ``Infinity`` are refused, and so are NUL and lone surrogates in strings, which PostgreSQL can't store.
    """
    try:
        # Half a surrogate pair may also occur literally: it can't be encoded in UTF-8.
        text = text.decode() if isinstance(text, bytes) else text.encode().decode()
        value = json.loads(text, parse_float=Decimal, parse_int=_parse_integer, parse_constant=_refuse_constant)
        if "\\u" in text and not _is_storable(value):
            raise MalformedJSON("Text contains a NUL or half a surrogate pair, which cannot be stored.")
    except MalformedJSON:
        raise
    except InvalidOperation as error:
        raise MalformedJSON("A number's exponent is out of range.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedJSON(str(error)) from error
    return value


def _parse_integer(digits: str) -> int | Decimal:
    # The encoder refuses ints beyond 64 bits, and Python refuses to parse thousands of digits into an int.
    number = int(digits) if len(digits) <= 20 else Decimal(digits)
    return number if -(2**63) <= number < 2**64 else Decimal(digits)


def _is_storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_storable(part) for item in value.items() for part in item)
    return not isinstance(value, list) or all(map(_is_storable, value))


def can_be_kept(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Tell whether a JSON column of either database can store the value."""
    if isinstance(value, Decimal):
        places = value.as_tuple().exponent
        return isinstance(places, int) and places >= -MAX_DIGITS and value.adjusted() < MAX_DIGITS
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(can_be_kept(part, levels - 1) for part in parts)
    return True


def stored_size(value: Any) -> int:
    """Return the size in bytes of a value as text with its numbers written out, as databases return it.

    ``1e999`` is short as sent, but has a thousand digits when read.
    """
    text = encode(value)
    return len(text) + (_written_out(value) if b"E" in text else 0)


def _written_out(value: Any) -> int:
    if isinstance(value, Decimal):
        return abs(value.adjusted())
    if isinstance(value, dict | list):
        return sum(map(_written_out, value.values() if isinstance(value, dict) else value))
    return 0


def encode(value: Any) -> bytes:
    """Return JSON in UTF-8; each ``Decimal`` is written as a number with all its digits."""
    return _encoder.encode(value)


def encode_canonical(value: Any) -> str:
    """Return the canonical JSON of a value: sorted members, no white space, decimals as strings."""
    return _canonical_encoder.encode(value).decode()


class _Decoder(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options, parse_float=Decimal, parse_int=_parse_integer)


class ExactJSONField(models.JSONField):
    """A JSON column whose fractions are ``Decimal``."""

    def __init__(self, **options: Any) -> None:
        options["decoder"] = _Decoder
        super().__init__(**options)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, options = super().deconstruct()
        options.pop("decoder", None)
        return name, path, args, options

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return super().get_db_prep_value(value, connection, prepared)
        if connection.vendor == "postgresql":
            from psycopg.types.json import Jsonb  # noqa: PLC0415  (only where PostgreSQL is)

            return Jsonb(value, dumps=encode)
        return encode(value).decode()
