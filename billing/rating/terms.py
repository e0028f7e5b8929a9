"""Terms, which are validated once, on creation, and the interface of pricing models."""

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

# The message if a price ``has_no_place_for`` a unit price.
PRICES_IN_TIERS = "The tiers have the prices"


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of ``Terms`` that a pricing model uses; ``help`` describes it in forms and APIs."""

    field: Term
    help: str


class PricingModel(ABC):
    """The definition of a pricing model; each file in ``pricing/`` has one.

    ``name`` is stored in rows and documents. ``label`` and ``summary`` are shown to users; ``asks`` are the terms that
    forms and APIs ask for. The amount depends on the quantity if the model ``is_metered``; it is prorated by days if
    it ``is_prorated``.
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
        """Tell whether the model's prices are in tiers."""
        return self.asks_for("tiers")

    def asks_for(self, field: Term) -> bool:
        """Tell whether the model uses a field of ``Terms``."""
        return any(asked.field == field for asked in self.asks)

    def has_no_place_for(self, unit_price: Decimal | None) -> bool:
        """Tell whether a unit price would never be charged, since the model's prices are in tiers."""
        return bool(unit_price) and not self.asks_for("unit_price")

    def check(self, terms: "Terms") -> None:
        """Raise ``TermsError`` if terms of this model are incomplete or contain something that is never charged.

        Currency and unit price are checked before. Subclasses add further rules.
        """
        if terms.tiers and not self.is_tiered:
            raise TermsError("tiers", f"a {self} price has no tiers.")
        if self.has_no_place_for(terms.unit_price):
            raise TermsError("unit_price", f"the tiers of a {self} price have its prices.")
        if self.is_tiered:
            check_tiers(terms.tiers)

    @abstractmethod
    def steps(self, terms: "Terms", quantity: Decimal) -> list[Step]:
        """Return the steps for a quantity of zero or more, at least one; their amounts add up to its exact price."""

    @abstractmethod
    def pieces(self, terms: "Terms") -> list[Piece]:
        """Return the price as a function of the quantity: pieces by ascending bounds, from zero to infinity."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a price, as rating uses them. Raises ``TermsError``.

    ``unit_price`` is the price of the period for flat, of one unit for per unit, and 0 if there are tiers.
    """

    model: PricingModel
    currency: str
    unit_price: Decimal = _ZERO
    tiers: tuple[Tier, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.model, PricingModel):
            raise TermsError("model", f"{self.model!r} is not a pricing model.")
        _check_currency(self.currency)
        check_number("unit_price", self.unit_price)
        self.model.check(self)


def _check_currency(currency: str) -> None:
    if not isinstance(currency, str):
        raise TermsError("currency", f"{currency!r} is not a currency.")
    try:
        minor_digits(currency)
    except UnknownCurrency as error:
        raise TermsError("currency", str(error)) from error
