"""Volume: all units at the price of the tier that the total falls in, plus that tier's fee."""

from decimal import Decimal

from billing.money import EXACT
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import no_tier_entered, steps_in_tier
from billing.rating.terms import Asked, PricingModel, Terms
from billing.rating.tiers import with_lower_bounds


class _Volume(PricingModel):
    name = "volume"
    label = "Volume"
    summary = "all units at the price of the tier reached"
    asks = (Asked("tiers", "each with the price of all units and a fee, charged where the total falls in it"),)

    def steps(self, terms: Terms, quantity: Decimal) -> list[Step]:
        """Return the steps of the last tier entered, for all units."""
        entered = [(lower, tier) for lower, tier in with_lower_bounds(terms.tiers) if quantity > lower]
        if not entered:
            return [no_tier_entered(terms.currency)]
        lower, tier = entered[-1]
        return steps_in_tier(tier, units=quantity, lower=lower, currency=terms.currency)

    def pieces(self, terms: Terms) -> list[Piece]:
        """Return a piece for each tier; it starts at the tier's price of all units below it plus its fee."""
        return [
            Piece(lower, tier.up_to, EXACT.add(EXACT.multiply(lower, tier.unit_price), tier.fee), tier.unit_price)
            for lower, tier in with_lower_bounds(terms.tiers)
        ]


VOLUME = _Volume()
