"""Create the steps that several pricing models share, with texts for finance staff."""

from decimal import Decimal

from billing.money import EXACT, format_decimal, format_price
from billing.rating.charge import Step
from billing.rating.tiers import Tier

_ZERO = Decimal(0)
_ONE = Decimal(1)


def steps_in_tier(tier: Tier, *, units: Decimal, lower: Decimal, currency: str) -> list[Step]:
    """Return the steps of an entered tier: its units at its price, then its fee if it has one."""
    where = _bounds_in_words(lower, tier.up_to)
    steps = [
        units_step(
            units=units,
            unit_price=tier.unit_price,
            currency=currency,
            where=f" ({where})" if where else "",
            lower=lower,
            upper=tier.up_to,
        )
    ]
    if tier.fee:
        of_tier = f" of the tier {where}" if where else ""
        text = f"fee{of_tier} = {format_price(tier.fee, currency=currency)}"
        steps.append(Step("fee", text, None, None, tier.fee, lower, tier.up_to))
    return steps


def units_step(
    *,
    units: Decimal,
    unit_price: Decimal,
    currency: str,
    where: str = "",
    lower: Decimal | None = None,
    upper: Decimal | None = None,
) -> Step:
    """Return the step of some units at one price; ``where`` names their tier."""
    amount = EXACT.multiply(units, unit_price)
    noun = "unit" if units == _ONE else "units"
    price, total = format_price(unit_price, currency=currency), format_price(amount, currency=currency)
    text = f"{format_decimal(units)} {noun}{where} x {price} = {total}"
    return Step("units", text, units, unit_price, amount, lower, upper)


def no_tier_entered(currency: str) -> Step:
    """Return the step that explains a charge of zero, since a breakdown is never empty."""
    text = f"0 units: no tier entered = {format_price(_ZERO, currency=currency)}"
    return Step("units", text, _ZERO, None, _ZERO)


def _bounds_in_words(lower: Decimal, upper: Decimal | None) -> str:
    above = f"above {format_decimal(lower)}" if lower else ""
    up_to = "" if upper is None else f"up to {format_decimal(upper)}"
    return ", ".join(filter(None, (above, up_to)))
