"""Flat: the price of a period, whatever the quantity."""

from decimal import Decimal

from billing.money import format_price
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.terms import Asked, PricingModel, Terms

_ZERO = Decimal(0)


class _Flat(PricingModel):
    name = "flat"
    label = "Flat"
    summary = "the price, whatever the quantity"
    asks = (Asked("unit_price", "the price of a period"),)
    is_metered = False
    is_prorated = True

    def steps(self, terms: Terms, quantity: Decimal) -> list[Step]:
        """Return the price of the whole period; proration follows in the order of calculation."""
        text = f"flat price = {format_price(terms.unit_price, currency=terms.currency)}"
        return [Step("flat", text, None, terms.unit_price, terms.unit_price)]

    def pieces(self, terms: Terms) -> list[Piece]:
        """Return one piece with a slope of zero."""
        return [Piece(_ZERO, None, terms.unit_price, _ZERO)]


FLAT = _Flat()
