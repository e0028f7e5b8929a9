"""Rate a quantity: terms and a quantity in, a charge with its breakdown out. Pure, without Django.

To add a pricing model, write its file in ``pricing/`` and name it in ``table.MODELS``.
"""

from billing.calendar import Coverage
from billing.rating.affordable import Budget, round_down
from billing.rating.calculation import rate
from billing.rating.charge import Charge, Step
from billing.rating.pricing.flat import FLAT
from billing.rating.pricing.graduated import GRADUATED
from billing.rating.pricing.per_unit import PER_UNIT
from billing.rating.pricing.volume import VOLUME
from billing.rating.refusals import TermsError
from billing.rating.table import MODELS, choices, find_model, help_on, model_named, names_of_models
from billing.rating.terms import PRICES_IN_TIERS, Asked, PricingModel, Terms
from billing.rating.tiers import Tier, bound_order, in_order

__all__ = [
    "FLAT",
    "GRADUATED",
    "MODELS",
    "PER_UNIT",
    "PRICES_IN_TIERS",
    "VOLUME",
    "Asked",
    "Budget",
    "Charge",
    "Coverage",
    "PricingModel",
    "Step",
    "Terms",
    "TermsError",
    "Tier",
    "bound_order",
    "choices",
    "find_model",
    "help_on",
    "in_order",
    "model_named",
    "names_of_models",
    "rate",
    "round_down",
]
