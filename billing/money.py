"""Exact decimals, and the only module that rounds.

Amounts and quantities are ``Decimal``, exact until they are rounded here, half up (ties away from zero).
Arithmetic uses ``EXACT`` and never the operators: ``a * b`` uses the thread's decimal context, which silently rounds to
28 digits.
"""

from collections.abc import Iterable
from decimal import ROUND_05UP, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import lru_cache, reduce

from iso4217 import Currency

EXACT = Context(prec=120, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])

_MINOR_DIGITS = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
_MINOR_UNITS = {digits: Decimal(1).scaleb(-digits) for digits in set(_MINOR_DIGITS.values())}
_QUANTITY_UNIT = Decimal("1e-9")
_PRORATED_UNIT = Decimal("1e-12")


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency, or it is one without a minor unit, such as gold."""


class DigitsRefused(ValueError):
    """A number has more digits than can be kept; the message is for people."""


def minor_digits(currency: str) -> int:
    """Return the number of decimals of the currency's amounts: 2 for USD, 0 for JPY, 3 for KWD.

    Codes are upper case. Raises ``UnknownCurrency``.
    """
    try:
        return _MINOR_DIGITS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is not a currency with a minor unit.") from None


def exact_digits(number: Decimal, *, before: int, after: int) -> Decimal:
    """Return a finite number with ``after`` digits after the point, without rounding.

    Raises ``DigitsRefused`` if it has more of them, or more than ``before`` digits before the point.
    """
    if number and number.adjusted() >= before:
        raise DigitsRefused(f"Ensure that there are no more than {before} digits before the decimal point.")
    exact = number.quantize(Decimal(1).scaleb(-after), context=EXACT)
    if exact != number:
        raise DigitsRefused(f"Ensure that there are no more than {after} decimal places.")
    return exact


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of amounts of one currency; 0 if there are none."""
    return reduce(EXACT.add, amounts, Decimal(0))


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """Return the exact difference of two amounts of one currency."""
    return EXACT.subtract(amount, less)


def round_money(amount: Decimal, *, currency: str) -> Decimal:
    """Round half up to the currency's minor unit; the result always has that many decimals and is never -0.

    Raises ``UnknownCurrency``, and ``ValueError`` for NaN and the infinities.
    """
    return _round(amount, unit=_MINOR_UNITS[minor_digits(currency)])


def round_quantity(quantity: Decimal) -> Decimal:
    """Round half up to 9 decimals, the precision of quantities. Raises ``ValueError`` for NaN and infinities."""
    return _round(quantity, unit=_QUANTITY_UNIT)


def prorate(amount: Decimal, *, days: int, of_days: int) -> Decimal:
    """Return ``amount x days / of_days`` to 12 decimals, not yet rounded to money.

    Rounding the result to money gives the same as rounding the exact quotient: if digits are cut off, the last digit is
    never 0 or 5 (ROUND_05UP), so that the result neither creates nor hides a tie.
    Raises ``ValueError`` for NaN and the infinities.
    """
    _require_finite(amount)
    quotient = EXACT.divide(EXACT.multiply(amount, Decimal(days)), Decimal(of_days))
    return EXACT.plus(quotient.quantize(_PRORATED_UNIT, rounding=ROUND_05UP, context=EXACT))


def format_decimal(value: Decimal) -> str:
    """Format a number plainly: no exponent, no trailing zeros after the point, no -0."""
    _require_finite(value)
    return _plain(value)


# A close formats the same prices and bounds thousands of times. Equal decimals have the same text.
@lru_cache(maxsize=4096)
def _plain(value: Decimal) -> str:
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def format_price(value: Decimal, *, currency: str) -> str:
    """Format an unrounded amount with at least the currency's decimals: "5.00", "0.0025". Never rounds.

    Raises ``UnknownCurrency``.
    """
    digits = minor_digits(currency)
    text = format_decimal(value)
    if digits == 0:
        return text
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(digits, '0')}"


def format_money(amount: Decimal, *, currency: str) -> str:
    """Format an amount rounded to the currency's minor unit: "226.00". Raises ``UnknownCurrency``."""
    return format(round_money(amount, currency=currency), "f")


def _round(value: Decimal, *, unit: Decimal) -> Decimal:
    _require_finite(value)
    # Adding zero turns -0.00 into 0.00, which compare equal but print differently.
    return EXACT.plus(EXACT.quantize(value, unit))


def _require_finite(value: Decimal) -> None:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that can be billed.")
