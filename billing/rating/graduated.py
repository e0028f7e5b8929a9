from decimal import Decimal

from billing.money import EXACT
from billing.rating.charge import Step
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
