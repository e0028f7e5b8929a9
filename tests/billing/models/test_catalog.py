"""Metering and pricing properties of bricks, rules and prices."""

from decimal import Decimal

import pytest

from billing.models import Brick, EventRule, Price, PriceTier
from billing.rating import FLAT, GRADUATED, PER_UNIT, Terms, TermsError, Tier
from tests import factories as make
from usage.metering import NOT_METERED, SUM
from usage.metering.events.count import COUNT


@pytest.mark.parametrize(("aggregation", "is_metered"), [(SUM, True), (NOT_METERED, False)])
def test_a_brick_has_the_properties_of_its_aggregation(aggregation, is_metered):
    brick = Brick(name="Calls", aggregation=aggregation.name)

    assert (brick.metering, brick.is_metered, str(brick)) == (aggregation, is_metered, "Calls")


def test_a_rule_is_called_by_what_it_counts():
    rule = EventRule(event_type=" sent", aggregation=COUNT.name)

    assert rule.counting == COUNT
    # Blanks at the ends of a type are seen.
    assert str(rule) == f"{COUNT.label} of ␣sent"


@pytest.mark.parametrize(
    ("up_to", "name"), [("10.500000000", "up to 10.5"), ("1E+3", "up to 1000"), (None, "the rest")]
)
def test_a_tier_is_called_by_its_bound(up_to, name):
    assert str(PriceTier(up_to=None if up_to is None else Decimal(up_to))) == name


def test_a_price_without_tiers_reads_as_its_unit_price():
    price = Price(name="Standard", model=PER_UNIT.name, currency="USD", unit_price=Decimal(2))

    assert price.terms() == Terms(model=PER_UNIT, currency="USD", unit_price=Decimal(2), tiers=())
    assert (price.pricing, price.is_tiered, str(price)) == (PER_UNIT, False, "Standard (USD)")
    assert Price(model=FLAT.name, currency="USD", unit_price=Decimal(2)).terms().model == FLAT


@pytest.mark.django_db
def test_a_price_with_tiers_reads_as_them_in_the_order_of_their_bounds():
    price = make.price(
        make.brick(make.workspace()), model="graduated", tiers=[(None, "3", "2"), ("20", "4", "1"), ("10", "5", "0")]
    )

    assert price.terms() == Terms(
        model=GRADUATED,
        currency="USD",
        unit_price=Decimal(0),
        tiers=(
            Tier(up_to=Decimal(10), unit_price=Decimal(5), fee=Decimal(0)),
            Tier(up_to=Decimal(20), unit_price=Decimal(4), fee=Decimal(1)),
            Tier(up_to=None, unit_price=Decimal(3), fee=Decimal(2)),
        ),
    )


@pytest.mark.django_db
def test_a_price_that_lost_its_last_tier_can_not_be_read():
    price = make.price(make.brick(make.workspace()), model="graduated", tiers=[("10", "5", "0"), (None, "3", "2")])
    price.tiers.filter(up_to=None).delete()

    with pytest.raises(TermsError):
        price.terms()
