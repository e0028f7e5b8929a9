"""Errors of subscriptions that can't be drafted."""

from billing.calendar import CalendarOutOfRange
from billing.models import Price
from billing.rating import Terms, TermsError
from usage.metering import RuleTooLarge


class IncompletePrice(TermsError):
    """The price can't be rated; the message names it."""

    def __init__(self, price: Price, error: TermsError) -> None:
        super().__init__(error.field, error.problem)
        self.args = (f"The price “{price}” is incomplete: {error}",)


# Their messages are for users: none of them is a bug of the program.
REFUSALS = (IncompletePrice, CalendarOutOfRange, RuleTooLarge)


def terms_of(price: Price) -> Terms:
    """Return the terms of a price; raise ``IncompletePrice`` if its tiers are incomplete."""
    try:
        return price.terms()
    except TermsError as error:
        raise IncompletePrice(price, error) from error
