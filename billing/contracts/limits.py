"""Usage limits of a line: bounds on the usage of a billing period, as a quantity or an amount of money."""

from dataclasses import dataclass, fields
from decimal import Decimal

from django.core.exceptions import ValidationError

from billing.aggregations import short_labels
from billing.models import Line
from billing.money import EXACT
from billing.rating import Budget, Coverage, round_down


class LimitsRefused(ValidationError):
    """The line can't have these limits; the message names the field."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a period's total. Reaching the soft limit is shown; usage beyond the hard limit is refused.

    Amounts are in the subscription's currency. Limits never change what is billed.
    """

    soft_limit_quantity: Decimal | None = None
    soft_limit_amount: Decimal | None = None
    hard_limit_quantity: Decimal | None = None
    hard_limit_amount: Decimal | None = None

    def put_on(self, line: Line) -> None:
        """Replace a line's limits without saving it; raise ``LimitsRefused`` naming each invalid field.

        Only a brick whose records add to the period independently can have limits: how much a gauge's value adds
        depends on the values that follow.
        """
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        wrong = {name: "Must be above zero." for name, value in given.items() if value is not None and value <= 0}
        for limit in ("soft", "hard"):
            if given[f"{limit}_limit_quantity"] is not None and given[f"{limit}_limit_amount"] is not None:
                wrong[f"{limit}_limit_amount"] = "Give either a quantity or an amount, not both."
        if any(value is not None for value in given.values()) and not line.brick.metering.takes_limits:
            refusal = f"Only a {short_labels('takes_limits')} can have limits."
            wrong = {name: refusal for name, value in given.items() if value is not None}
        if wrong:
            raise LimitsRefused(wrong)
        for name, value in given.items():
            setattr(line, name, value)


NO_LIMITS = Limits()


def has_hard_limit(line: Line) -> bool:
    """Tell whether the line has a hard limit."""
    return line.hard_limit_quantity is not None or line.hard_limit_amount is not None


class Room:
    """The usage that a line's hard limit allows in a period; created once and used for each quantity.

    ``coverage`` is that of the period. Raises ``TermsError`` if the price is incomplete.
    """

    def __init__(self, *, line: Line, coverage: Coverage) -> None:
        self._quantity = line.hard_limit_quantity
        self._budget = None
        if (amount := line.hard_limit_amount) is not None:
            self._budget = Budget(terms=line.price.terms(), amount=amount, coverage=coverage)

    def beyond(self, used: Decimal, wanted: Decimal) -> Decimal:
        """Return the quantity that is allowed beyond ``used``: ``wanted``, or a smaller multiple of 0.001, or 0."""
        if self._quantity is not None:
            left = EXACT.subtract(self._quantity, used)
            return wanted if wanted <= left else max(round_down(left), Decimal(0))
        return self._budget.beyond(used, wanted) if self._budget else wanted


def reached(*, line: Line, quantity: Decimal, amount: Decimal) -> str:
    """Return the highest limit that a period's quantity or amount has reached: "hard", "soft" or an empty text."""
    for limit in ("hard", "soft"):
        of_quantity = getattr(line, f"{limit}_limit_quantity")
        of_amount = getattr(line, f"{limit}_limit_amount")
        if (of_quantity is not None and quantity >= of_quantity) or (of_amount is not None and amount >= of_amount):
            return limit
    return ""
