"""Exact decimals in both databases.

PostgreSQL's ``numeric`` is exact. SQLite has no decimals: its NUMERIC affinity turns ``0.1`` into a float and its SUM
adds floats. There a decimal is therefore stored as text in one canonical form, compared and sorted by a collation that
compares numbers, and added by aggregates that add ``Decimal``; all are registered on every connection.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression

from billing.money import EXACT

COLLATION = "exact_decimal"
# More digits than any sum has: sums of events add numbers with thousands of decimals, and are rounded once.
_ADDITION = Context(prec=40_000, traps=[Inexact, InvalidOperation, Overflow])


class TooManyDigits(ValueError):
    """A number is too large for its column."""


class ExactDecimalField(models.DecimalField):
    """A ``Decimal`` that is stored exactly, on PostgreSQL and on SQLite.

    A float, a NaN, an infinity and a value with more digits than the column are refused on saving; the databases would
    round silently.
    """

    def get_internal_type(self) -> str:
        # Not "DecimalField": Django would pass what SQLite returns through a float.
        return "ExactDecimalField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        if connection.vendor == "sqlite":
            return "text"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str:
        return self.db_type(connection)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = {"type": self.db_type(connection), "check": None}
        if connection.vendor == "sqlite":
            parameters["collation"] = COLLATION
        return parameters

    def from_db_value(
        self, value: Decimal | str | int | None, expression: Expression, connection: BaseDatabaseWrapper
    ) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(value)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Decimal | str | None:
        if value is None or hasattr(value, "as_sql"):
            return value
        if isinstance(value, float):
            raise TypeError(f"{self.name}: a float is not an exact number")
        exact = self.canonical(Decimal(value))
        return format(exact, "f") if connection.vendor == "sqlite" else exact

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        return self.get_db_prep_value(value, connection)

    def canonical(self, value: Decimal) -> Decimal:
        """Return the value with exactly the column's decimal places; raise ``ValueError`` if it does not fit."""
        if not value.is_finite():
            raise ValueError(f"{self.name}: {value} is not a number")
        if value and value.adjusted() >= self.max_digits - self.decimal_places:
            raise TooManyDigits(f"{self.name}: {value:f} has too many digits before the point")
        exact = value.quantize(Decimal(1).scaleb(-self.decimal_places), context=EXACT)
        if exact != value:
            raise ValueError(f"{self.name}: {value} has more than {self.decimal_places} decimal places")
        return exact.copy_abs() if exact.is_zero() else exact


class ExactSum(models.Sum):
    """SUM without intermediate floats; the only sum allowed over an ``ExactDecimalField``."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        sql, parameters = super().as_sql(compiler, connection, function="exact_sum", **extra)
        return f"({sql} COLLATE {COLLATION})", parameters


class _ExactTotal:
    def __init__(self) -> None:
        self.total: Decimal | None = None

    def add(self, value: Decimal) -> None:
        self.total = _ADDITION.add(self.total or Decimal(0), value)

    def finalize(self) -> str | None:
        return None if self.total is None else format(self.total, "f")


class _ExactSum(_ExactTotal):
    def step(self, value: str | int | None) -> None:
        if value is not None:
            self.add(Decimal(value))


class _ExactSumProduct(_ExactTotal):
    def step(self, value: str | None, factor: int | None) -> None:
        if value is not None and factor is not None:
            self.add(EXACT.multiply(Decimal(value), Decimal(factor)))


def _compare(left: str, right: str) -> int:
    one, other = Decimal(left), Decimal(right)
    return (one > other) - (one < other)


def register_on_sqlite(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Give a new SQLite connection the collation and the aggregates of exact decimals."""
    if connection.vendor != "sqlite":
        return
    raw = connection.connection
    raw.create_collation(COLLATION, _compare)
    raw.create_aggregate("exact_sum", 1, _ExactSum)
    raw.create_aggregate("exact_sum_product", 2, _ExactSumProduct)


class WholeTotal(models.Aggregate):
    """The sum of integers, such as lengths."""

    function = "SUM"
    output_field = models.BigIntegerField()
    window_compatible = True
