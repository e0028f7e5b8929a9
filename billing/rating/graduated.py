from decimal import Decimal

from billing.money import EXACT
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import no_tier_entered, steps_in_tier, with_lower_bounds
from billing.rating.terms import Terms


def graduated(*, terms: Terms, quantity: Decimal) -> list[Step]:
    """Each tier's units at its price, plus the fee of each tier entered."""
    steps: list[Step] = []
    for lower, tier in with_lower_bounds(terms.tiers):
        if quantity <= lower:
            break
        reached = quantity if tier.up_to is None or quantity < tier.up_to else tier.up_to
        units = EXACT.subtract(reached, lower)
        steps += steps_in_tier(tier, units=units, lower=lower, currency=terms.currency)
    return steps or [no_tier_entered(terms.currency)]


def graduated_pieces(terms: Terms) -> list[Piece]:
    """Return the same as pieces: a tier starts at what those below cost in full, and its fee."""
    pieces: list[Piece] = []
    below = Decimal(0)
    for lower, tier in with_lower_bounds(terms.tiers):
        pieces.append(Piece(lower, tier.up_to, EXACT.add(below, tier.fee), tier.unit_price))
        if tier.up_to is not None:
            below = pieces[-1].cost(tier.up_to)
    return pieces
