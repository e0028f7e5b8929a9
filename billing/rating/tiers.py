"""The rules of tiers: bounds ascend, are absolute and inclusive, and the last tier is open."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from billing.money import format_decimal
from billing.rating.refusals import TermsError, check_number

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to an absolute, inclusive bound (None: open) at a unit price, with a fee for entering the tier."""

    up_to: Decimal | None
    unit_price: Decimal
    fee: Decimal = _ZERO


class Bounded(Protocol):
    """A tier, or a row that stores one."""

    @property
    def up_to(self) -> Decimal | None: ...


AnyTier = TypeVar("AnyTier", bound=Bounded)


def bound_order(up_to: Decimal | None) -> tuple[bool, Decimal]:
    """Return the sort key of a tier's upper bound: ascending, the open tier last."""
    return up_to is None, up_to or _ZERO


def in_order(tiers: Iterable[AnyTier]) -> list[AnyTier]:
    """Return tiers sorted by their upper bounds, the open one last."""
    return sorted(tiers, key=lambda tier: bound_order(tier.up_to))


def with_lower_bounds(tiers: Sequence[Tier]) -> Iterator[tuple[Decimal, Tier]]:
    """Yield each tier with its lower bound, which is exclusive: the bound itself is in the tier below."""
    lower = _ZERO
    for tier in tiers:
        yield lower, tier
        if tier.up_to is not None:
            lower = tier.up_to


def check_tiers(tiers: Sequence[Tier]) -> None:
    """Raise ``TermsError`` naming the invalid field if tiers, in the given order, do not cover all quantities."""
    if not tiers:
        raise TermsError("tiers", "at least one tier is required.")
    lower = _ZERO
    last = len(tiers) - 1
    for place, tier in enumerate(tiers):
        field = f"tiers[{place}]"
        check_number(f"{field}.unit_price", tier.unit_price)
        check_number(f"{field}.fee", tier.fee)
        if tier.up_to is None:
            if place != last:
                raise TermsError(f"{field}.up_to", "only the last tier can be open.")
            continue
        check_number(f"{field}.up_to", tier.up_to)
        if place == last:
            raise TermsError(f"{field}.up_to", "the last tier must be open, without a bound.")
        if tier.up_to <= lower:
            raise TermsError(f"{field}.up_to", f"must be above {format_decimal(lower)}.")
        lower = tier.up_to
