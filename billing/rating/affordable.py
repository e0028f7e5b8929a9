"""Compute the quantity that an amount of money buys: the inverse of rating.

It is used for each record of a batch, so it uses the pieces of a price and never rates a quantity.
"""

from bisect import bisect_left
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from billing.calendar import Coverage
from billing.money import EXACT
from billing.rating.calculation import rate
from billing.rating.pieces import Piece
from billing.rating.proration import prorated
from billing.rating.terms import Terms

STEP = Decimal("0.001")
_PLACES = 3
_ZERO = Decimal(0)
_STEPS_IN_ONE = Decimal(1000)


class Budget:
    """The maximum amount that usage at a price may cost; created once per price and used for each quantity.

    Amounts are compared before rounding; prices are never negative. ``coverage`` prorates a flat price.
    """

    def __init__(self, *, terms: Terms, amount: Decimal, coverage: Coverage | None = None) -> None:
        self._amount = amount
        self._at_zero = rate(terms=terms, quantity=_ZERO, coverage=coverage).unrounded
        pieces = terms.model.pieces(terms)
        self._pieces = pieces = [_prorated(piece, coverage) for piece in pieces] if terms.model.is_prorated else pieces
        self._uppers = [piece.upper for piece in pieces if piece.upper is not None]
        # Of many tiers, most may be too expensive from their first unit on.
        self._within = [piece for piece in pieces if piece.start <= amount]
        self._lowers = [piece.lower for piece in self._within]

    def affords(self, quantity: Decimal) -> bool:
        """Tell whether a period's quantity costs no more than the amount."""
        if quantity <= _ZERO:
            return self._at_zero <= self._amount
        return self._pieces[bisect_left(self._uppers, quantity)].cost(quantity) <= self._amount

    def beyond(self, used: Decimal, wanted: Decimal) -> Decimal:
        """Return the quantity beyond ``used`` for which the total costs no more than the amount.

        This is ``wanted`` if all of it is affordable, otherwise the greatest affordable multiple of 0.001 below it,
        or 0. Prices may decrease from one tier to the next.
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
        # A total of zero or less costs as much as zero.
        steps = min(last, _whole_steps(EXACT.minus(used)))
        return EXACT.multiply(STEP, Decimal(steps)) if steps > 0 and self._at_zero <= self._amount else _ZERO

    def _steps_within(self, piece: Piece, used: Decimal, last: int) -> int:
        """Return the greatest number of steps from ``used`` into a piece within the amount; 0 if there is none."""
        first = max(_whole_steps(EXACT.subtract(piece.lower, used)) + 1, 1)
        if piece.upper is not None:
            last = min(last, _whole_steps(EXACT.subtract(piece.upper, used)))
        if last < first:
            return 0
        if piece.unit_price > 0:
            # used + steps / 1000 - lower <= (amount - start) / unit price, as integers scaled from exact decimals.
            spent = EXACT.multiply(EXACT.subtract(used, piece.lower), piece.unit_price)
            left = EXACT.subtract(EXACT.subtract(self._amount, piece.start), spent)
            if left < 0:
                return 0
            last = min(last, int(EXACT.divide_int(EXACT.multiply(left, _STEPS_IN_ONE), piece.unit_price)))
        return last if last >= first else 0


def _prorated(piece: Piece, coverage: Coverage | None) -> Piece:
    start, unit_price = prorated(piece.start, coverage), prorated(piece.unit_price, coverage)
    return replace(piece, start=start, unit_price=unit_price)


def round_down(quantity: Decimal) -> Decimal:
    """Return the greatest multiple of 0.001 that does not exceed a quantity."""
    return EXACT.multiply(STEP, Decimal(_whole_steps(quantity)))


def _whole_steps(quantity: Decimal) -> int:
    return int(EXACT.scaleb(quantity, Decimal(_PLACES)).to_integral_value(ROUND_FLOOR, EXACT))
