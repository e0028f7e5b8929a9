"""JSON that keeps its numbers: every fraction is a ``Decimal``, in and out, never a float."""

import json
from decimal import Decimal
from typing import Any

import msgspec
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical_encoder = msgspec.json.Encoder(decimal_format="string", order="sorted")


class MalformedJSON(ValueError):
    """The text is not JSON, or holds what no database can keep."""


def _refuse_constant(name: str) -> None:
    raise MalformedJSON(f"{name} is not a JSON number.")


def decode(text: str | bytes) -> Any:
    """Parse JSON, numbers with a fraction or an exponent to ``Decimal``; raise ``MalformedJSON``.

    ``NaN`` and ``Infinity`` are refused, and so are NUL and lone surrogates in strings, which PostgreSQL can't store.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(text, parse_float=Decimal, parse_int=_parse_integer, parse_constant=_refuse_constant)
    except MalformedJSON:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedJSON(str(error)) from error
    if "\\u" in text and not _is_storable(value):
        raise MalformedJSON("Text holds a NUL or half a surrogate pair, which cannot be stored.")
    return value


def _parse_integer(digits: str) -> int | Decimal:
    # Beyond 64 bits the encoder takes no int, and Python refuses to parse thousands of digits into one.
    return int(digits) if len(digits) < 19 else Decimal(digits)


def _is_storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_storable(part) for item in value.items() for part in item)
    return not isinstance(value, list) or all(map(_is_storable, value))


def encode(value: Any) -> bytes:
    """Return JSON in UTF-8, ``Decimal`` written as a number digit for digit."""
    return _encoder.encode(value)


def encode_canonical(value: Any) -> str:
    """Return the one text of a value: sorted members, no white space, decimals as strings."""
    return _canonical_encoder.encode(value).decode()


class _Decoder(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options, parse_float=Decimal)


class ExactJSONField(models.JSONField):
    """A JSON column whose fractions come back as ``Decimal``."""

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
