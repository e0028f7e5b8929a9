"""Terms of a line to be added to a subscription."""

from dataclasses import dataclass
from datetime import datetime

from billing.catalog import PriceTerms
from billing.contracts.limits import NO_LIMITS, Limits
from billing.models import Brick, Price


@dataclass(frozen=True)
class LineTerms:
    """A line to be added; ``price`` is an existing price, or terms from which one is created.

    ``carries_on``: whether a gauge opens with the last value of the previous line; None means yes.
    """

    brick: Brick
    price: Price | PriceTerms
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reference: str | None = None
    limits: Limits = NO_LIMITS
    number: int | None = None
    carries_on: bool | None = None
