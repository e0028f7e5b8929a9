"""The result of rating: an amount, and the steps by which it can be verified."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Charge:
    """The charge for a quantity, in the currency of its terms.

    ``amount`` is rounded to the minor unit; ``surprise`` is a notice for a reviewer, and may be empty.
    """

    amount: Decimal
    unrounded: Decimal
    steps: tuple[Step, ...]
    surprise: str = ""
