"""Create, change and copy prices with their tiers. A price is complete when created and fixed once billed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from billing import history
from billing.actors import Actor
from billing.models import Brick, Price, PriceTier
from billing.money import format_decimal
from billing.rating import PricingModel, Terms, Tier, in_order, model_named


@dataclass(frozen=True)
class PriceTerms:
    """The terms of a new price of a brick."""

    name: str
    model: str
    currency: str
    unit_price: Decimal = Decimal(0)
    tiers: Sequence[Tier] = ()


@transaction.atomic
def create_price(
    *,
    brick: Brick,
    name: str,
    model: str,
    currency: str,
    unit_price: Decimal = Decimal(0),
    tiers: Sequence[Tier] = (),
    actor: Actor,
) -> Price:
    """Create a price with its tiers; raise ``ValidationError`` or ``TermsError`` naming the invalid field.

    Prices are exact decimals in units of the currency (not minor units), with up to 12 places.
    """
    price = Price(
        workspace_id=brick.workspace_id,
        brick=brick,
        name=name,
        model=model,
        currency=currency,
        unit_price=unit_price,
    )
    price.full_clean()
    _check_model(price)
    rows = _checked_tiers(price, tiers)
    history.insert(price, actor=actor)
    PriceTier.objects.bulk_create(rows)
    _note_tiers(price, [], rows, actor)
    return price


class PriceIsFixed(ValidationError):
    """The price was billed and can't be changed, only copied."""


@transaction.atomic
def change_price(
    *,
    price: Price,
    name: str | None = None,
    model: str | None = None,
    unit_price: Decimal | None = None,
    tiers: Sequence[Tier] | None = None,
    actor: Actor,
) -> Price:
    """Change the given values of a price and return it; ``tiers`` replace all former ones.

    Raises ``PriceIsFixed`` once the price is billed, ``ValidationError`` or ``TermsError`` naming the invalid field.
    Unchanged values are not validated again, except that model, unit price and tiers are validated together.
    """
    prices = Price.objects.select_for_update(of=("self",), no_key=True).select_related("brick", "workspace")
    price = prices.get(workspace_id=price.workspace_id, pk=price.pk)
    if is_billed(price):
        raise PriceIsFixed("This price was billed, so it can't be changed. Copy it and change the copy.")
    changes = {"name": name, "model": model, "unit_price": unit_price}
    touched = [field for field, value in changes.items() if value is not None and value != getattr(price, field)]
    for field in touched:
        setattr(price, field, changes[field])
    price.clean_fields(exclude=[field.name for field in Price._meta.fields if field.name not in touched])
    if "model" in touched:
        _check_model(price)
    former = list(price.tiers.all())
    kept = _as_tiers(former)
    wanted = kept if tiers is None else in_order(tiers)
    rows = _checked_tiers(price, wanted) if wanted != kept or set(touched) - {"name"} else []
    if touched:
        history.save(price, fields=touched, actor=actor)
    if wanted != kept:
        # Replace all rows: if saved one by one, two tiers that swap their bounds would collide.
        PriceTier.objects.filter(workspace_id=price.workspace_id, price=price).delete()
        PriceTier.objects.bulk_create(rows)
        _note_tiers(price, former, rows, actor)
    return Price.objects.get(workspace_id=price.workspace_id, pk=price.pk)


def objection_to_model(brick: Brick, model: PricingModel) -> str | None:
    """Return why a brick can't have a price of a pricing model; None if it can."""
    if brick.is_metered or not model.is_metered:
        return None
    return f"“{brick}” is not metered: it requires a flat price."


def _check_model(price: Price) -> None:
    if objection := objection_to_model(price.brick, price.pricing):
        raise ValidationError({"model": objection})


def _as_tiers(rows: Iterable[PriceTier]) -> list[Tier]:
    return in_order(row.as_tier() for row in rows)


def _checked_tiers(price: Price, tiers: Sequence[Tier]) -> list[PriceTier]:
    """Return the unsaved rows of a price's tiers; raise as ``create_price`` does."""
    refuse_too_many_tiers(len(tiers))
    rows = _tier_rows(price, tiers)
    for row in rows:
        row.clean_fields(exclude=["workspace", "price"])
        if min(row.unit_price, row.fee) < 0:
            raise ValidationError({"tiers": "A tier's price and fee can't be negative."})
    Terms(
        model=model_named(price.model),
        currency=price.currency,
        unit_price=price.unit_price,
        tiers=tuple(in_order(tiers)),
    )
    return rows


def refuse_too_many_tiers(count: int) -> None:
    """Raise ``ValidationError`` naming ``tiers`` for more tiers than ``TIERS_PER_PRICE``."""
    if count > settings.TIERS_PER_PRICE:
        raise ValidationError({"tiers": f"A price has at most {settings.TIERS_PER_PRICE} tiers, not {count}."})


def is_billed(price: Price) -> bool:
    """Tell whether an invoice line, in a draft or an issued invoice, uses the price, which fixes it."""
    return price.invoice_lines.exists()


@transaction.atomic
def copy_price(*, price: Price, name: str, actor: Actor) -> Price:
    """Copy a price with its tiers: a billed price can't be changed, but its copy can.

    Raises ``ValidationError`` naming ``name`` if it is invalid, ``TermsError`` if the price is incomplete.
    """
    copy = Price(
        workspace_id=price.workspace_id,
        brick_id=price.brick_id,
        name=name,
        model=price.model,
        currency=price.currency,
        unit_price=price.unit_price,
    )
    # Only the name is validated: a price that current rules would refuse can still be copied.
    copy.clean_fields(exclude=[field.name for field in Price._meta.fields if field.name != "name"])
    history.insert(copy, actor=actor)
    _note_tiers(copy, [], PriceTier.objects.bulk_create(_tier_rows(copy, price.terms().tiers)), actor)
    return copy


def _note_tiers(price: Price, before: Iterable[PriceTier], after: Iterable[PriceTier], actor: Actor) -> None:
    """Add a change of a price's tiers to its history: bulk writes are not recorded automatically."""
    was, now = _told(before), _told(after)
    if was != now:
        history.note(price, "changed" if was else "added", {"tiers": (was, now)}, actor=actor)


def _told(tiers: Iterable[PriceTier]) -> list[str]:
    texts = ((tier.up_to, tier.unit_price, tier.fee) for tier in in_order(tiers))
    return [
        f"up to {'any' if up_to is None else format_decimal(up_to)}: {format_decimal(price)}, fee {format_decimal(fee)}"
        for up_to, price, fee in texts
    ]


def _tier_rows(price: Price, tiers: Sequence[Tier]) -> list[PriceTier]:
    return [
        PriceTier(
            workspace_id=price.workspace_id,
            price=price,
            up_to=tier.up_to,
            unit_price=tier.unit_price,
            fee=tier.fee,
        )
        for tier in tiers
    ]
