"""Prices: complete when used, fixed once billed, copied to be changed."""

from collections.abc import Sequence
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from billing.models import Brick, Price, PriceTier
from billing.rating import PricingModel, Terms, Tier, bound_order


@transaction.atomic
def create_price(
    *, brick: Brick, name: str, model: str, currency: str, unit_price: Decimal = Decimal(0), tiers: Sequence[Tier] = ()
) -> Price:
    """Make a price with its tiers; raise ``ValidationError`` or ``TermsError`` naming what is wrong with it.

    Prices are exact decimals in units of the currency (not minor units), up to 12 places.
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
    rows = _tier_rows(price, tiers)
    for row in rows:
        row.clean_fields(exclude=["price"])
        if min(row.unit_price, row.fee) < 0:
            raise ValidationError({"tiers": "A tier's price and fee can't be negative."})
    ordered = sorted(tiers, key=lambda tier: bound_order(tier.up_to))
    Terms(model=PricingModel(model), currency=currency, unit_price=unit_price, tiers=tuple(ordered))
    price.save()
    PriceTier.objects.bulk_create(rows)
    return price


def is_billed(price: Price) -> bool:
    """Tell whether a line that was billed uses the price, drafts included: then it can't be edited any more."""
    return price.invoice_lines.exists()


@transaction.atomic
def copy_price(*, price: Price, name: str) -> Price:
    """Copy a price, to be edited: the way to change one that was billed."""
    copy = Price.objects.create(
        workspace_id=price.workspace_id,
        brick_id=price.brick_id,
        name=name,
        model=price.model,
        currency=price.currency,
        unit_price=price.unit_price,
    )
    PriceTier.objects.bulk_create(_tier_rows(copy, price.terms().tiers))
    return copy


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
