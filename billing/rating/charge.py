"""The result of rating: an amount, and the steps with which a person can check it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from billing.money import format_decimal

StepKind = Literal["flat", "units", "fee", "proration", "negative"]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the breakdown; the unrounded amounts of all steps add up to the charge's.

    ``lower`` (exclusive) and ``upper`` (inclusive, None: open) are the bounds of its tier.
    """

    kind: StepKind
    text: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    lower: Decimal | None = None
    upper: Decimal | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the step ready for JSON, every number as plain text."""
        return {
            "kind": self.kind,
            "text": self.text,
            "quantity": _plain(self.quantity),
            "unit_price": _plain(self.unit_price),
            "amount": _plain(self.amount),
            "lower": _plain(self.lower),
            "upper": _plain(self.upper),
        }


@dataclass(frozen=True, slots=True)
class Charge:
    """The cost of a quantity, in the currency of its terms.

    ``amount`` is rounded to the minor unit; ``surprise`` says what a reviewer should look at, and may be empty.
    """

    amount: Decimal
    unrounded: Decimal
    steps: tuple[Step, ...]
    surprise: str = ""


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)
