"""A price as a piecewise linear function of the quantity: pieces over ranges of quantities above zero."""

from dataclasses import dataclass
from decimal import Decimal

from billing.money import EXACT


@dataclass(frozen=True, slots=True)
class Piece:
    """The cost of quantities above ``lower`` and up to ``upper`` (inclusive, None: any).

    It is ``start`` just above the lower bound, plus ``unit_price`` for each unit beyond that bound.
    """

    lower: Decimal
    upper: Decimal | None
    start: Decimal
    unit_price: Decimal

    def cost(self, quantity: Decimal) -> Decimal:
        """Return the unrounded cost of a quantity in this range."""
        return EXACT.add(self.start, EXACT.multiply(EXACT.subtract(quantity, self.lower), self.unit_price))
