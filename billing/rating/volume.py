from decimal import Decimal

from billing.money import EXACT
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import no_tier_entered, steps_in_tier, with_lower_bounds
from billing.rating.terms import Terms


def volume(*, terms: Terms, quantity: Decimal) -> list[Step]:
    """All units at the price of the tier that the total falls in, plus that tier's fee."""
    entered = [(lower, tier) for lower, tier in with_lower_bounds(terms.tiers) if quantity > lower]
    if not entered:
        return [no_tier_entered(terms.currency)]
    lower, tier = entered[-1]
    return steps_in_tier(tier, units=quantity, lower=lower, currency=terms.currency)


def volume_pieces(terms: Terms) -> list[Piece]:
    """Return the same as pieces: a tier starts at its price of all units below it, and its fee."""
    return [
        Piece(lower, tier.up_to, EXACT.add(EXACT.multiply(lower, tier.unit_price), tier.fee), tier.unit_price)
        for lower, tier in with_lower_bounds(terms.tiers)
    ]
