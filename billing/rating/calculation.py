"""The order of calculation, as one list, and the table of pricing models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from billing.calendar import Coverage
from billing.money import EXACT, format_decimal, format_price, prorate, round_money
from billing.rating.charge import Charge, Step
from billing.rating.flat import flat
from billing.rating.graduated import graduated
from billing.rating.per_unit import per_unit
from billing.rating.terms import PricingModel, Terms
from billing.rating.volume import volume

NEGATIVE_QUANTITY = "negative quantity rated as zero"

_ZERO = Decimal(0)


class Pricer(Protocol):
    def __call__(self, *, terms: Terms, quantity: Decimal) -> list[Step]: ...


PRICERS: dict[PricingModel, Pricer] = {
    PricingModel.FLAT: flat,
    PricingModel.PER_UNIT: per_unit,
    PricingModel.GRADUATED: graduated,
    PricingModel.VOLUME: volume,
}


@dataclass(slots=True)
class _Worksheet:
    terms: Terms
    quantity: Decimal
    coverage: Coverage | None
    steps: list[Step] = field(default_factory=list)
    surprise: str = ""

    @property
    def total(self) -> Decimal:
        total = _ZERO
        for step in self.steps:
            total = EXACT.add(total, step.amount)
        return total


def rate(*, terms: Terms, quantity: Decimal, coverage: Coverage | None = None) -> Charge:
    """Return what the quantity costs, in the currency of the terms, with the steps that lead there.

    ``coverage`` says how much of the billing window the line covers; it prorates a flat price, nothing else.
    The result is exact until it is rounded once, half up, to the minor unit; only a prorated price is cut
    before, to 12 decimals, in a way that changes no rounded amount (``money.prorate``). Raises ``ValueError``
    for a quantity that is NaN or infinite.
    """
    if not quantity.is_finite():
        raise ValueError(f"A quantity of {quantity} cannot be rated.")
    worksheet = _Worksheet(terms, quantity, coverage)
    for stage in ORDER:
        stage(worksheet)
    unrounded = worksheet.total
    return Charge(
        amount=round_money(unrounded, currency=terms.currency),
        unrounded=unrounded,
        steps=tuple(worksheet.steps),
        surprise=worksheet.surprise,
    )


def _take_negative_as_zero(worksheet: _Worksheet) -> None:
    if worksheet.quantity >= _ZERO:
        return
    text = f"negative quantity {format_decimal(worksheet.quantity)} rated as zero"
    worksheet.steps.append(Step("negative", text, worksheet.quantity, None, _ZERO))
    worksheet.surprise = NEGATIVE_QUANTITY
    worksheet.quantity = _ZERO


def _apply_pricing_model(worksheet: _Worksheet) -> None:
    terms = worksheet.terms
    worksheet.steps += PRICERS[terms.model](terms=terms, quantity=worksheet.quantity)


def _prorate_flat(worksheet: _Worksheet) -> None:
    terms, coverage = worksheet.terms, worksheet.coverage
    if coverage is None or coverage.is_whole or terms.model is not PricingModel.FLAT:
        return
    days, of_days = coverage.days, coverage.of_days
    prorated = prorate(terms.unit_price, days=days, of_days=of_days)
    price = format_price(terms.unit_price, currency=terms.currency)
    share = format_price(prorated, currency=terms.currency)
    text = f"{days} of {of_days} days: {price} x {days} / {of_days} = {share}"
    worksheet.steps.append(Step("proration", text, None, None, EXACT.subtract(prorated, terms.unit_price)))


# Rounding follows, once. Included units and limits of quantity belong before the pricing model; discount and
# limits of amount after the proration.
ORDER: tuple[Callable[[_Worksheet], None], ...] = (
    _take_negative_as_zero,
    _apply_pricing_model,
    _prorate_flat,
)
