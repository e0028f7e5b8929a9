"""Per unit: quantity x price."""

from decimal import Decimal

from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import units_step
from billing.rating.terms import Asked, PricingModel, Terms

_ZERO = Decimal(0)


class _PerUnit(PricingModel):
    name = "per_unit"
    label = "Per unit"
    asks = (Asked("unit_price", "the price of one unit"),)

    def steps(self, terms: Terms, quantity: Decimal) -> list[Step]:
        """Return all units at the one price."""
        return [units_step(units=quantity, unit_price=terms.unit_price, currency=terms.currency)]

    def pieces(self, terms: Terms) -> list[Piece]:
        """Return one piece from zero on."""
        return [Piece(_ZERO, None, _ZERO, terms.unit_price)]


PER_UNIT = _PerUnit()
