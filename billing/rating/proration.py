"""Prorate an amount by the days of a billing window that a line covers."""

from decimal import Decimal

from billing.calendar import Coverage
from billing.money import prorate


def prorated(amount: Decimal, coverage: Coverage | None) -> Decimal:
    """Return the share of the covered days in an amount, to 12 decimals (``money.prorate``)."""
    if coverage is None or coverage.is_whole:
        return amount
    return prorate(amount, days=coverage.days, of_days=coverage.of_days)
