"""How a quantity becomes money, as agreed: checked once, when it is made, so that rating need not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Self

from billing.money import UnknownCurrency, format_decimal, minor_digits

_ZERO = Decimal(0)


class TermsError(ValueError):
    """Terms that cannot be rated; ``field`` names the part at fault, such as ``tiers[1].up_to``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class PricingModel(StrEnum):
    FLAT = "flat"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"

    @property
    def is_tiered(self) -> bool:
        return self in _TIERED


_TIERED = frozenset({PricingModel.GRADUATED, PricingModel.VOLUME})


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to an absolute, inclusive bound (None: open), at a price each, and a fee for entering."""

    up_to: Decimal | None
    unit_price: Decimal
    fee: Decimal = _ZERO


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
        _check_model(self.model)
        _check_currency(self.currency)
        _check_number("unit_price", self.unit_price)
        if not self.model.is_tiered:
            if self.tiers:
                raise TermsError("tiers", f"a {self.model} price has no tiers.")
            return
        if self.unit_price:
            raise TermsError("unit_price", f"a {self.model} price has its prices in its tiers.")
        _check_tiers(self.tiers)

    def as_dict(self) -> dict[str, Any]:
        """Return the terms ready for JSON, every number as plain text."""
        return {
            "model": self.model.value,
            "currency": self.currency,
            "unit_price": format_decimal(self.unit_price),
            "tiers": [
                {
                    "up_to": None if tier.up_to is None else format_decimal(tier.up_to),
                    "unit_price": format_decimal(tier.unit_price),
                    "fee": format_decimal(tier.fee),
                }
                for tier in self.tiers
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the terms that ``as_dict`` wrote. Raises ``TermsError`` for what it cannot have written."""
        try:
            model = PricingModel(data.get("model", ""))
        except ValueError:
            raise TermsError("model", f"{data.get('model')!r} is no pricing model.") from None
        return cls(
            model=model,
            currency=data.get("currency", ""),
            unit_price=_number(data, "unit_price", default="0"),
            tiers=_tiers(data.get("tiers", [])),
        )


def bound_order(up_to: Decimal | None) -> tuple[bool, Decimal]:
    """Return what tiers are sorted by, given their upper bound: ascending, the open one last."""
    return up_to is None, up_to or Decimal(0)


def _check_model(model: PricingModel) -> None:
    if not isinstance(model, PricingModel):
        raise TermsError("model", f"{model!r} is no pricing model.")


def _check_currency(currency: str) -> None:
    if not isinstance(currency, str):
        raise TermsError("currency", f"{currency!r} is no currency.")
    try:
        minor_digits(currency)
    except UnknownCurrency as error:
        raise TermsError("currency", str(error)) from error


def _check_number(field: str, value: Decimal) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TermsError(field, f"{value!r} is no exact number.")


def _check_tiers(tiers: Sequence[Tier]) -> None:
    if not tiers:
        raise TermsError("tiers", "at least one tier is needed.")
    lower = _ZERO
    last = len(tiers) - 1
    for place, tier in enumerate(tiers):
        field = f"tiers[{place}]"
        _check_number(f"{field}.unit_price", tier.unit_price)
        _check_number(f"{field}.fee", tier.fee)
        if tier.up_to is None:
            if place != last:
                raise TermsError(f"{field}.up_to", "only the last tier is open.")
            continue
        _check_number(f"{field}.up_to", tier.up_to)
        if place == last:
            raise TermsError(f"{field}.up_to", "the last tier must be open, without a bound.")
        if tier.up_to <= lower:
            raise TermsError(f"{field}.up_to", f"must be above {format_decimal(lower)}.")
        lower = tier.up_to


def _tiers(data: Any) -> tuple[Tier, ...]:
    if not isinstance(data, list):
        raise TermsError("tiers", "is no list of tiers.")
    return tuple(_tier(item, f"tiers[{place}]") for place, item in enumerate(data))


def _tier(data: Any, field: str) -> Tier:
    if not isinstance(data, Mapping):
        raise TermsError(field, "is no tier.")
    return Tier(
        up_to=None if data.get("up_to") is None else _number(data, "up_to", of=field),
        unit_price=_number(data, "unit_price", of=field),
        fee=_number(data, "fee", of=field, default="0"),
    )


def _number(data: Mapping[str, Any], name: str, *, of: str = "", default: str | None = None) -> Decimal:
    text = data.get(name, default)
    field = f"{of}.{name}" if of else name
    if not isinstance(text, str):
        raise TermsError(field, f"{text!r} is no number written as text.")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise TermsError(field, f"{text!r} is no number.") from None
