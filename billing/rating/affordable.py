"""How much an amount of money buys: the price the other way round.

It is asked of each record of a batch, so it goes by the pieces that a price consists of, and never rates a quantity.
"""

from bisect import bisect_left
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal

from billing.calendar import Coverage
from billing.money import EXACT
from billing.rating.calculation import rate
from billing.rating.graduated import graduated_pieces
from billing.rating.per_unit import per_unit_pieces
from billing.rating.pieces import Piece
from billing.rating.terms import PricingModel, Terms
from billing.rating.volume import volume_pieces

STEP = Decimal("0.001")
_PLACES = 3
_ZERO = Decimal(0)
_STEPS_IN_ONE = Decimal(1000)

# A flat price is one piece, which the days that it is prorated by belong to.
PIECES: dict[PricingModel, Callable[[Terms], list[Piece]]] = {
    PricingModel.PER_UNIT: per_unit_pieces,
    PricingModel.GRADUATED: graduated_pieces,
    PricingModel.VOLUME: volume_pieces,
}


class Budget:
    """An amount that what is used at a price may cost: made once, and asked for each quantity.

    Prices count before they are rounded, and none is negative. ``coverage`` is what a flat price is prorated by.
    """

    def __init__(self, *, terms: Terms, amount: Decimal, coverage: Coverage | None = None) -> None:
        self._amount = amount
        self._at_zero = rate(terms=terms, quantity=_ZERO, coverage=coverage).unrounded
        is_flat = terms.model is PricingModel.FLAT
        pieces = [Piece(_ZERO, None, self._at_zero, _ZERO)] if is_flat else PIECES[terms.model](terms)
        self._pieces = pieces
        self._uppers = [piece.upper for piece in pieces if piece.upper is not None]
        # Of many tiers, most may be too dear from their first unit on.
        self._within = [piece for piece in pieces if piece.start <= amount]
        self._lowers = [piece.lower for piece in self._within]

    def affords(self, quantity: Decimal) -> bool:
        """Tell whether a whole quantity costs no more than the amount."""
        if quantity <= _ZERO:
            return self._at_zero <= self._amount
        return self._pieces[bisect_left(self._uppers, quantity)].cost(quantity) <= self._amount

    def beyond(self, used: Decimal, wanted: Decimal) -> Decimal:
        """Return how much more than ``used`` may be used so that the whole costs no more: ``wanted``, or less.

        What is less than wanted is the greatest multiple of 0.001 below it, and 0 where there is none. Prices may fall
        from one tier to the next.
        """
        whole = EXACT.add(used, wanted)
        if self.affords(whole):
            return wanted
        last = _whole_steps(wanted)
        for piece in reversed(self._within[: bisect_left(self._lowers, whole)]):
            if piece.upper is not None and piece.upper <= used:
                break
            if steps := self._steps_within(piece, used, last):
                return EXACT.multiply(STEP, Decimal(steps))
        # And what a total that is not above zero costs.
        steps = min(last, _whole_steps(EXACT.minus(used)))
        return EXACT.multiply(STEP, Decimal(steps)) if steps > 0 and self._at_zero <= self._amount else _ZERO

    def _steps_within(self, piece: Piece, used: Decimal, last: int) -> int:
        """Return by how many steps at most ``used`` comes to lie in a piece, at no more than the amount; 0: by none."""
        first = max(_whole_steps(EXACT.subtract(piece.lower, used)) + 1, 1)
        if piece.upper is not None:
            last = min(last, _whole_steps(EXACT.subtract(piece.upper, used)))
        if last < first:
            return 0
        if piece.unit_price > 0:
            # used + steps / 1000 - lower <= (amount - start) / unit price, in whole numbers of exact decimals.
            spent = EXACT.multiply(EXACT.subtract(used, piece.lower), piece.unit_price)
            left = EXACT.subtract(EXACT.subtract(self._amount, piece.start), spent)
            if left < 0:
                return 0
            last = min(last, int(EXACT.divide_int(EXACT.multiply(left, _STEPS_IN_ONE), piece.unit_price)))
        return last if last >= first else 0


def round_down(quantity: Decimal) -> Decimal:
    """Return the greatest multiple of 0.001 that is not above a quantity."""
    return EXACT.multiply(STEP, Decimal(_whole_steps(quantity)))


def _whole_steps(quantity: Decimal) -> int:
    return int(EXACT.scaleb(quantity, Decimal(_PLACES)).to_integral_value(ROUND_FLOOR, EXACT))
