"""Graduated: each tier's units at its price, plus the fee of each tier entered."""

from decimal import Decimal

from billing.money import EXACT
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import no_tier_entered, steps_in_tier
from billing.rating.terms import Asked, PricingModel, Terms
from billing.rating.tiers import with_lower_bounds


class _Graduated(PricingModel):
    name = "graduated"
    label = "Graduated"
    summary = "each tier's units at its price"
    asks = (Asked("tiers", "each with the price of its units and a fee, charged once it is entered"),)

    def steps(self, terms: Terms, quantity: Decimal) -> list[Step]:
        """Return the steps of each tier entered, from the first on."""
        steps: list[Step] = []
        for lower, tier in with_lower_bounds(terms.tiers):
            if quantity <= lower:
                break
            reached = quantity if tier.up_to is None or quantity < tier.up_to else tier.up_to
            units = EXACT.subtract(reached, lower)
            steps += steps_in_tier(tier, units=units, lower=lower, currency=terms.currency)
        return steps or [no_tier_entered(terms.currency)]

    def pieces(self, terms: Terms) -> list[Piece]:
        """Return a piece for each tier; it starts at the full cost of the tiers below plus its fee."""
        pieces: list[Piece] = []
        below = Decimal(0)
        for lower, tier in with_lower_bounds(terms.tiers):
            pieces.append(Piece(lower, tier.up_to, EXACT.add(below, tier.fee), tier.unit_price))
            if tier.up_to is not None:
                below = pieces[-1].cost(tier.up_to)
        return pieces


GRADUATED = _Graduated()
