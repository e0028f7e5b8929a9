"""Reasons why a subscription can't be drafted as it stands."""

from billing.calendar import CalendarOutOfRange
from billing.models import Price
from billing.rating import Terms, TermsError
from usage.metering import RuleTooLarge


class IncompletePrice(TermsError):
    """No charge can be computed of a price; the message names it."""

    def __init__(self, price: Price, error: TermsError) -> None:
        super().__init__(error.field, error.problem)
        self.args = (f"The price “{price}” is incomplete: {error}",)


# Their messages are for people: none of them is a fault of the program.
REFUSALS = (IncompletePrice, CalendarOutOfRange, RuleTooLarge)


def terms_of(price: Price) -> Terms:
    """Return a price as rating reads it; raise ``IncompletePrice`` where its tiers are incomplete."""
    try:
        return price.terms()
    except TermsError as error:
        raise IncompletePrice(price, error) from error
