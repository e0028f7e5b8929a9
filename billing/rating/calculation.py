"""Rate a quantity: the steps of the calculation in order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from billing.calendar import Coverage
from billing.money import EXACT, format_decimal, format_price, round_money
from billing.rating.charge import Charge, Step
from billing.rating.proration import prorated
from billing.rating.terms import Terms

NEGATIVE_QUANTITY = "negative quantity rated as zero"

_ZERO = Decimal(0)


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
    """Return the charge for a quantity, in the currency of the terms, with the steps of its calculation.

    ``coverage``: the part of the billing window that the line covers (None: all of it); it prorates only a flat price.
    The result is exact until it is rounded once, half up, to the minor unit; only a prorated price is cut before, to
    12 decimals, which changes no rounded amount (``money.prorate``). Raises ``ValueError`` for a quantity that is NaN
    or infinite.
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
    worksheet.steps += worksheet.terms.model.steps(worksheet.terms, worksheet.quantity)


def _prorate(worksheet: _Worksheet) -> None:
    terms, coverage = worksheet.terms, worksheet.coverage
    if coverage is None or coverage.is_whole or not terms.model.is_prorated:
        return
    days, of_days, whole = coverage.days, coverage.of_days, worksheet.total
    part = prorated(whole, coverage)
    price, share = (format_price(amount, currency=terms.currency) for amount in (whole, part))
    text = f"{days} of {of_days} days: {price} x {days} / {of_days} = {share}"
    worksheet.steps.append(Step("proration", text, None, None, EXACT.subtract(part, whole)))


# Rounding follows, once. Included units and limits of quantity would come before the pricing model; discount and
# limits of amount after the proration.
ORDER: tuple[Callable[[_Worksheet], None], ...] = (
    _take_negative_as_zero,
    _apply_pricing_model,
    _prorate,
)
