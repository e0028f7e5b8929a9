from decimal import Decimal

from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.steps import units_step
from billing.rating.terms import Terms


def per_unit(*, terms: Terms, quantity: Decimal) -> list[Step]:
    """Quantity x price."""
    return [units_step(units=quantity, unit_price=terms.unit_price, currency=terms.currency)]


def per_unit_pieces(terms: Terms) -> list[Piece]:
    """Return the same as one piece."""
    return [Piece(Decimal(0), None, Decimal(0), terms.unit_price)]
