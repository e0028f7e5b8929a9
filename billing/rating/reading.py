"""Read terms that ``Terms.as_dict`` wrote, for instance in an issued document."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.rating.refusals import TermsError
from billing.rating.table import model_named
from billing.rating.terms import Terms
from billing.rating.tiers import Tier


def read_terms(data: Mapping[str, Any]) -> Terms:
    """Return the terms that ``Terms.as_dict`` wrote. Raises ``TermsError`` naming the field for anything else."""
    return Terms(
        model=model_named(data.get("model", "")),
        currency=data.get("currency", ""),
        unit_price=_number(data, "unit_price", default="0"),
        tiers=_tiers(data.get("tiers", [])),
    )


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
