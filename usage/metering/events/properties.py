"""An event's properties in SQL: as text, to be compared, and as an exact number, to be added.

A text is unchanged, a boolean is true or false, a number is its plain digits: 1.50 is 1.5, and 1e3 is 1000. Lists,
objects and null count as missing. SQLite, which has no exact numbers, gets functions for this.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from billing.storage.jsontext import decode, encode

# A number has up to 15 digits before the point, like a quantity in the ledger. A longer one is treated as text, so that
# no sender's mistake makes a period too large for an invoice. PostgreSQL keeps 16,383 digits after the point.
NUMBER = r"-?[0-9]{1,15}(\.[0-9]+)?"
LONGEST_NUMBER = 16_000
_NUMBER = re.compile(NUMBER)


def given_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property's JSON value, NULL if the record lacks it, and its parameters."""
    if connection.vendor == "postgresql":
        return f"NULLIF({record}.properties -> %s::text, 'null')", [name]
    return f"event_given({record}.properties, %s)", [name]


def as_text(given: str) -> str:
    """Return the SQL of a JSON value as text, NULL if it counts as missing."""
    if connection.vendor != "postgresql":
        return f"event_given_text({given})"
    text = f"({given} #>> '{{}}')"
    return (
        f"(CASE jsonb_typeof({given}) WHEN 'string' THEN {text} WHEN 'boolean' THEN {text}"
        f" WHEN 'number' THEN trim_scale({given}::numeric)::text END)"
    )


def as_number(text: str) -> str:
    """Return the SQL of a text as an exact number, NULL if it is not a number."""
    if connection.vendor != "postgresql":
        return f"event_number({text})"
    # CASE prevents other texts from being cast.
    is_number = f"length({text}) <= {LONGEST_NUMBER} AND {text} ~ '^{NUMBER}$'"
    return f"(CASE WHEN {is_number} THEN {text}::numeric END)"


def text_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property as text, NULL if the record lacks it, and its parameters."""
    if connection.vendor != "postgresql":
        return f"event_text({record}.properties, %s)", [name]
    text = as_text(f"({record}.properties -> %s::text)")
    return text, [name] * text.count("%s")


def folded_text_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property as case-folded text: the folded copy, which exists if folding changes the text."""
    text, parameters = text_of(name, record)
    copy = f"{record}.folded ->> %s::text" if connection.vendor == "postgresql" else f"event_text({record}.folded, %s)"
    return f"COALESCE({copy}, {text})", [name, *parameters]


@lru_cache(maxsize=16)
def _decoded(properties: str) -> Any:
    return decode(properties)


def _given(properties: str | None, name: str) -> str | None:
    values = _decoded(properties) if properties else None
    value = values.get(name) if isinstance(values, dict) else None
    return None if value is None else encode(value).decode()


def _given_text(given: str | None) -> str | None:
    return None if given is None else _plain(decode(given))


def _text(properties: str | None, name: str) -> str | None:
    values = _decoded(properties) if properties else None
    return _plain(values.get(name)) if isinstance(values, dict) else None


def _plain(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        digits = f"{Decimal(value):f}" if value else "0"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return value if isinstance(value, str) else None


def _number(text: str | None) -> str | None:
    return text if text is not None and len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text) else None


def register_on_sqlite(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Register functions on a new SQLite connection for which PostgreSQL has SQL."""
    if connection.vendor != "sqlite":
        return
    raw = connection.connection
    raw.create_function("event_text", 2, _text, deterministic=True)
    raw.create_function("event_given", 2, _given, deterministic=True)
    raw.create_function("event_given_text", 1, _given_text, deterministic=True)
    raw.create_function("event_number", 1, _number, deterministic=True)
