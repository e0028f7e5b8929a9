from bisect import bisect_right
from decimal import ROUND_FLOOR, Decimal

from billing.calendar import Coverage
from billing.money import EXACT
from billing.rating.calculation import rate
from billing.rating.terms import Terms

STEP = Decimal("0.001")
_PLACES = 3


def affordable(
    *, terms: Terms, used: Decimal, wanted: Decimal, amount: Decimal, coverage: Coverage | None = None
) -> Decimal:
    """Return how much more may be used so that the whole costs no more than an amount: ``wanted``, or less.

    The whole is ``used`` and what is returned; its price counts before it is rounded. What is less than wanted is the
    greatest multiple of 0.001 below it, and 0 where there is none. Prices may fall from one tier to the next, but not
    within a tier.
    """

    def price(steps: int) -> Decimal:
        whole = EXACT.add(used, EXACT.multiply(STEP, Decimal(steps)))
        return rate(terms=terms, quantity=whole, coverage=coverage).unrounded

    if rate(terms=terms, quantity=EXACT.add(used, wanted), coverage=coverage).unrounded <= amount:
        return wanted
    last = _whole_steps(wanted)
    # From the tier that was wanted downwards; the last one is what a total below zero costs.
    for lower in (*(tier.up_to for tier in reversed(terms.tiers) if tier.up_to is not None), Decimal(0), used):
        first = max(_whole_steps(EXACT.subtract(lower, used)) + 1, 1)
        if within := bisect_right(range(first, last + 1), amount, key=price):
            return EXACT.multiply(STEP, Decimal(first + within - 1))
        last = min(last, first - 1)
    return Decimal(0)


def round_down(quantity: Decimal) -> Decimal:
    """Return the greatest multiple of 0.001 that is not above a quantity."""
    return EXACT.multiply(STEP, Decimal(_whole_steps(quantity)))


def _whole_steps(quantity: Decimal) -> int:
    return int(EXACT.scaleb(quantity, Decimal(_PLACES)).to_integral_value(ROUND_FLOOR, EXACT))
