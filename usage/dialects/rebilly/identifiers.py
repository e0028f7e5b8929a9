"""Ids in the vendor's form: a prefix and the row's number as 26 digits of Crockford's base 32."""

import re

from django.db.models import BigIntegerField

USAGE, INVOICE, INVOICE_ITEM = "sub_usg_", "in_", "ii_"

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PYTHONS_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_AS_PYTHON = str.maketrans(_DIGITS, _PYTHONS_DIGITS)
_LENGTH = 26
_NUMBER = re.compile(f"[{_DIGITS}]{{{_LENGTH}}}")


def shown(prefix: str, number: int) -> str:
    """Return the id of a row's number."""
    digits = []
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return prefix + "".join(reversed(digits)).rjust(_LENGTH, _DIGITS[0])


def known(prefix: str, text: str) -> int | None:
    """Return the row number of an id, or None if no row can have it."""
    digits = text.removeprefix(prefix)
    if digits == text or not _NUMBER.fullmatch(digits):
        return None
    number = int(digits.translate(_AS_PYTHON), len(_DIGITS))
    return number if number <= BigIntegerField.MAX_BIGINT else None
