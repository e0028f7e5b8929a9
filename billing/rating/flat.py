from decimal import Decimal

from billing.money import format_price
from billing.rating.charge import Step
from billing.rating.terms import Terms


def flat(*, terms: Terms, quantity: Decimal) -> list[Step]:
    """The price of the period, whatever the quantity."""
    text = f"flat price = {format_price(terms.unit_price, currency=terms.currency)}"
    return [Step("flat", text, None, terms.unit_price, terms.unit_price)]
