"""Terms, which are checked once, when they are made, and what a pricing model has to say about them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from billing.money import UnknownCurrency, minor_digits
from billing.rating.charge import Step
from billing.rating.pieces import Piece
from billing.rating.refusals import TermsError, check_number
from billing.rating.tiers import Tier, check_tiers

_ZERO = Decimal(0)

Term = Literal["unit_price", "tiers"]

# Said to people where a price ``has_no_place_for`` a unit price.
PRICES_IN_TIERS = "A tiered price has its prices in its tiers"


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of ``Terms`` that a pricing model asks for; ``help`` says in a form or an API what it is."""

    field: Term
    help: str


class PricingModel(ABC):
    """All that is known of one way to turn a quantity into money; a file in ``pricing/`` has one.

    ``name`` is kept in rows and documents. ``label`` and ``summary`` are shown to people, ``asks`` says which terms
    forms and APIs ask for. The amount depends on the quantity where the model ``is_metered``; it is prorated by days
    where it ``is_prorated``.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    summary: ClassVar[str] = ""
    asks: ClassVar[tuple[Asked, ...]]
    is_metered: ClassVar[bool] = True
    is_prorated: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_tiered(self) -> bool:
        """Tell whether the prices of the model stand in tiers."""
        return self.asks_for("tiers")

    def asks_for(self, field: Term) -> bool:
        """Tell whether a field of ``Terms`` belongs to the model."""
        return any(asked.field == field for asked in self.asks)

    def has_no_place_for(self, unit_price: Decimal | None) -> bool:
        """Tell whether a unit price would never be charged: the model has its prices in tiers."""
        return bool(unit_price) and not self.asks_for("unit_price")

    def check(self, terms: "Terms") -> None:
        """Raise ``TermsError`` where terms of this model lack something, or have what is never charged.

        Currency and unit price are checked before. A model with rules of its own adds them.
        """
        if terms.tiers and not self.is_tiered:
            raise TermsError("tiers", f"a {self} price has no tiers.")
        if self.has_no_place_for(terms.unit_price):
            raise TermsError("unit_price", f"a {self} price has its prices in its tiers.")
        if self.is_tiered:
            check_tiers(terms.tiers)

    @abstractmethod
    def steps(self, terms: "Terms", quantity: Decimal) -> list[Step]:
        """Return the steps of a quantity of zero or more, at least one; their amounts add up to its exact price."""

    @abstractmethod
    def pieces(self, terms: "Terms") -> list[Piece]:
        """Return the same price as a function of the quantity: pieces by ascending bounds, from zero to any."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A price as rating reads it. Raises ``TermsError``.

    ``unit_price`` is the price of the period for flat, of one unit for per unit, and 0 where there are tiers.
    """

    model: PricingModel
    currency: str
    unit_price: Decimal = _ZERO
    tiers: tuple[Tier, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.model, PricingModel):
            raise TermsError("model", f"{self.model!r} is no pricing model.")
        _check_currency(self.currency)
        check_number("unit_price", self.unit_price)
        self.model.check(self)


def _check_currency(currency: str) -> None:
    if not isinstance(currency, str):
        raise TermsError("currency", f"{currency!r} is no currency.")
    try:
        minor_digits(currency)
    except UnknownCurrency as error:
        raise TermsError("currency", str(error)) from error
