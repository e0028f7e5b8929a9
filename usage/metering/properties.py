"""An event's properties in SQL: each as a text, to be compared, and as a number, to be added.

A text stands for itself, a truth value for true or false, a number for its plain digits: 1.50 is 1.5, and 1e3 is 1000.
A list, an object and null are as good as none. SQLite, which has no exact numbers, is given functions for this.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from billing.jsontext import decode

# What is added: 15 digits before the point, as a quantity in the ledger has. More adds nothing, like any other text,
# so that no sender's slip makes a period too large for an invoice. PostgreSQL keeps 16,383 digits after the point.
NUMBER = r"-?[0-9]{1,15}(\.[0-9]+)?"
LONGEST_NUMBER = 16_000
_NUMBER = re.compile(NUMBER)


def text_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property as text, NULL where the record has none, and its parameters."""
    if connection.vendor != "postgresql":
        return f"event_text({record}.properties, %s)", [name]
    value = f"({record}.properties -> %s::text)"
    text = f"({value} #>> '{{}}')"
    return (
        f"(CASE jsonb_typeof({value}) WHEN 'string' THEN {text} WHEN 'boolean' THEN {text}"
        f" WHEN 'number' THEN trim_scale({value}::numeric)::text END)",
        [name] * 4,
    )


def number_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property as an exact number, NULL where it is none, and its parameters."""
    text, parameters = text_of(name, record)
    if connection.vendor != "postgresql":
        return f"event_number({text})", parameters
    # Only CASE keeps a text that is no number from being cast.
    is_number = f"length({text}) <= {LONGEST_NUMBER} AND {text} ~ '^{NUMBER}$'"
    return f"(CASE WHEN {is_number} THEN {text}::numeric END)", parameters * 3


def folded_text_of(name: str, record: str) -> tuple[str, list[Any]]:
    """Return the SQL of a property as ``text_of`` does, but without case: the folded copy where it differs."""
    text, parameters = text_of(name, record)
    copy = f"{record}.folded ->> %s::text" if connection.vendor == "postgresql" else f"event_text({record}.folded, %s)"
    return f"COALESCE({copy}, {text})", [name, *parameters]


@lru_cache(maxsize=16)
def _decoded(properties: str) -> Any:
    return decode(properties)


def _text(properties: str | None, name: str) -> str | None:
    values = _decoded(properties) if properties else None
    value = values.get(name) if isinstance(values, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        digits = f"{Decimal(value):f}" if value else "0"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return value if isinstance(value, str) else None


def _number(text: str | None) -> str | None:
    return text if text is not None and len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text) else None


def register_on_sqlite(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Give a new connection to SQLite the functions that PostgreSQL does without."""
    if connection.vendor != "sqlite":
        return
    raw = connection.connection
    raw.create_function("event_text", 2, _text, deterministic=True)
    raw.create_function("event_number", 1, _number, deterministic=True)
