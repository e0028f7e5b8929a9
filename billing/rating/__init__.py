"""What a quantity costs: terms and a quantity in, a charge with its breakdown out. Pure, and without Django.

A further pricing model is a member of ``PricingModel``, a file of its own here, and a line in
``calculation.PRICERS`` and ``affordable.PIECES``.
"""

from billing.calendar import Coverage
from billing.rating.affordable import Budget, round_down
from billing.rating.calculation import rate
from billing.rating.charge import Charge, Step
from billing.rating.terms import PricingModel, Terms, TermsError, Tier, bound_order

__all__ = [
    "Budget",
    "Charge",
    "Coverage",
    "PricingModel",
    "Step",
    "Terms",
    "TermsError",
    "Tier",
    "bound_order",
    "rate",
    "round_down",
]
